"""The project's own use of its parts: the demo, the release's numbers, the paper's tables."""
