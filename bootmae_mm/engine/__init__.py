"""Running a config: from the settings to a runner, the optimiser, and going on after a stop."""
