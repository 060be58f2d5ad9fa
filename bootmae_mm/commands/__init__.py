"""A folder in, a trained model out: each command looks at the data and the machine, writes a config
that says why, has it checked, and trains with the ordinary tools.

:mod:`.recipe` is the rule for pretraining; :mod:`.pretraining` the command.
"""
