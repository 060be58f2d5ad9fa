"""Ways to end a run, and comparing two runs to the bit."""

import os
import signal

import torch
from mmengine.hooks import Hook


class PowerCut(BaseException):
    """What no code of ours catches."""


class Interrupt(Hook):
    """Ends a run in its n-th batch, counted from 0, by a signal or a power cut."""

    priority = 'VERY_HIGH'

    def __init__(self, at: int, how: str) -> None:
        self.at = at
        self.how = how

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter != self.at:
            return
        if self.how == 'power cut':
            raise PowerCut
        os.kill(os.getpid(), getattr(signal, self.how))


def assert_identical(one: object, other: object, place: str = '') -> None:
    """Bit by bit, with the same structure."""
    assert type(one) is type(other), place
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype and torch.equal(one, other), place
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for key in one:
            assert_identical(one[key], other[key], f'{place}.{key}')
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), place
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_identical(*pair, f'{place}.{index}')
    else:
        assert one == other, place


def losses(checkpoint: dict) -> list[float]:
    """The logger's history."""
    return checkpoint['message_hub']['log_scalars']['train/loss'].data[0].tolist()
