"""A warm-up over so many steps, or a tenth of the run."""

import pytest
import torch

from bootmae_mm.engine.warm_up import WarmUpLR


def rates(count: int, **settings) -> list[float]:
    """Shares of the learning rate of every step."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = WarmUpLR.build_iter_from_epoch(
        optimizer, start_factor=0.1, by_epoch=True, **settings
    )
    found = []
    for _ in range(count):
        found.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize(
    ('epochs', 'epoch_length', 'length'),
    [(12, 50, 5), (12, 3, 3), (12, 1, 2), (1, 1, 2)],  # of 600, 36, 12 and 1 steps
)
def test_the_length(epochs, epoch_length, length):
    found = rates(8, steps=5, end=epochs, epoch_length=epoch_length)
    expected = [0.1 + 0.9 * min(step / (length - 1), 1) for step in range(8)]
    assert found == pytest.approx(expected)


def test_epochs_are_refused():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    with pytest.raises(ValueError, match='counts optimiser steps, found by_epoch=True; add'):
        WarmUpLR(optimizer, steps=5, end=12)
