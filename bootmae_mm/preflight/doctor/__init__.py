"""What would go wrong with a run, found in seconds on a CPU before it starts.

:mod:`.checkup` goes through the points; each is a function of a :class:`.case.Case` that yields
findings. :mod:`.versions`, :mod:`.parts`, :mod:`.data`, :mod:`.batch`, :mod:`.schedule`,
:mod:`.weights`, :mod:`.disk`, :mod:`.work_dir` and :mod:`.step` hold them.
"""
