"""The parts of the feature target's variance, against sums that are known."""

import sys

import pytest
import torch

from tests.helpers.paths import ROOT

sys.path[:0] = [str(ROOT / 'benchmarks')]

import target_variance  # noqa: E402


def test_the_parts_of_a_sum_are_found():
    """Place ± 1 and image ± 2 in turn, and ± 1 where both coincide: variances 1, 4 and 1 of 6."""
    sign = torch.tensor([1.0, -1.0])
    place, image = sign.view(1, 2, 1), 2 * sign.view(2, 1, 1)
    features = place + image + place * image / 2 + 100
    found = target_variance.shares(features.expand(2, 2, 3))
    expected = dict(place=1 / 6, image=4 / 6, rest=1 / 6, std=6**0.5)
    assert found == pytest.approx(expected)


def test_a_run_without_a_checkpoint_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        target_variance.main([str(tmp_path), '--images', str(tmp_path)])
    assert 'Expected a checkpoint in' in capsys.readouterr().err
