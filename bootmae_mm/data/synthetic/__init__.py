"""Pictures that are drawn, for the demo and where there are none."""
