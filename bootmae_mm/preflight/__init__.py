"""What would go wrong with a run, and what it will take, before it starts."""
