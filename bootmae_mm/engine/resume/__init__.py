"""Runs that can stop at any moment and go on as if they had not."""

from .checkpoint_hook import DurableCheckpointHook
from .loop import ResumableTrainLoop
from .runner import ResumableRunner
from .stopping import EXIT_CODE, StopOnSignalHook, TrainingStopped

__all__ = [
    'EXIT_CODE',
    'DurableCheckpointHook',
    'ResumableRunner',
    'ResumableTrainLoop',
    'StopOnSignalHook',
    'TrainingStopped',
]
