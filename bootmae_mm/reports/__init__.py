"""Pages and tables about what a run did. Light: nothing here imports PyTorch."""
