"""Pages about what a run did. Light: of these modules only :mod:`.run.hook` needs PyTorch."""
