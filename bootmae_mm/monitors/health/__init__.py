"""Faults of a run, noticed while it goes on: what is measured, what is wrong, and why."""
