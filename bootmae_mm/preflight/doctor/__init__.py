"""What would go wrong with a run, found in seconds on a CPU before it starts.

:mod:`.checkup` goes through the points; each is a function of a :class:`.case.Case` that yields
findings. The run itself asks some of them of its own parts before it starts, see
:class:`..start.DataCheckHook`. :mod:`.versions`, :mod:`.parts`, :mod:`.metrics`, :mod:`.data`,
:mod:`.batch`, :mod:`.schedule`, :mod:`.averages`, :mod:`.weights`, :mod:`.disk`, :mod:`.work_dir`
and :mod:`.step` hold them.
"""
