"""The paper's tables: what to run for every row, what came of it, and the pages that say so.

:mod:`.paper` holds the tables, :mod:`.runs` where a run lies and how far it is, :mod:`.reduced` the
same rows at a smaller size, :mod:`.launching` runs what is missing, :mod:`.logs` and
:mod:`.records` read and keep what came of it, :mod:`.tables` and :mod:`.pages` show it.
"""
