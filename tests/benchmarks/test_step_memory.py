"""Memory of a step counted on tensors without content."""

import sys

import torch
from torch._subclasses import FakeTensorMode

from tests.helpers.paths import ROOT

sys.path.insert(0, str(ROOT / 'benchmarks'))

import step_memory  # noqa: E402

WIDE = dict(embed_dims=128, num_layers=2, num_heads=4, feedforward_channels=512)


def test_every_storage_counts_once_while_it_lives():
    with FakeTensorMode(), step_memory.LiveBytes() as live:
        kept = torch.empty(1000)
        gone = torch.empty(500)
        view = kept[:10]
        del gone
        last = kept + 1
        del kept  # the view still needs it
    assert (live.now, live.peak) == (8000, 8000)
    del view
    assert live.now == 4000 == last.nbytes


def test_a_step_holds_weights_gradients_moments_and_teacher():
    """16 bytes for a trained parameter and 4 for one of the teacher, if there are few images."""
    peak, numbers = step_memory.plan(WIDE, 32, 1, 'float32', checkpointed=False)
    fixed = 16 * numbers['trained'] + 4 * numbers['teacher']
    assert fixed < peak < 1.1 * fixed


def test_activations_come_on_top_and_fewer_with_checkpointing():
    plain, _ = step_memory.plan(WIDE, 32, 32, 'float32', checkpointed=False)
    less, numbers = step_memory.plan(WIDE, 32, 32, 'float32', checkpointed=True)
    fixed = 16 * numbers['trained'] + 4 * numbers['teacher']
    assert 0 < less - fixed < 0.8 * (plain - fixed)
