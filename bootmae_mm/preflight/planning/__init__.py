"""What a whole run will take, from a short measurement: hours, memory, and whether data keeps up.

:mod:`.recipe` reads the config, :mod:`.measuring` runs a few steps of it (on :mod:`.generated` data
where its own is not there), :mod:`.arithmetic` computes, :mod:`.text` says it.
"""
