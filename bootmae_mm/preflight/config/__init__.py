"""Whether a config says what its author meant, before anything is built from it.

:mod:`.sections` looks at the keys of the whole, :mod:`.parts` walks every ``dict(type=…)`` against
the signature of its class (:mod:`.registries`, :mod:`.signatures`, :mod:`.annotations`),
:mod:`.values` knows the ranges of numbers. :func:`.check.check_config` is all of it.

:mod:`.reading` reads the file, :mod:`.options` puts the command line's settings into it, which
:mod:`.typed` reads and writes, and :mod:`.lost` refuses those that nothing reads.
"""
