"""The ramp of λ over whole runs; the paper's numbers are in tests/configs/test_recipe.py."""

import pytest

from bootmae_mm.pretrain.schedules import feature_weight


@pytest.mark.parametrize('epochs', [200, 300, 800])
def test_feature_weight_is_the_release_formula(epochs):
    for epoch in range(epochs):
        expected = min(1, 4 * (epoch + 1) / epochs)
        assert feature_weight(epoch, epochs / 4) == pytest.approx(expected, abs=1e-12)


def test_feature_weight_without_ramp():
    assert feature_weight(0, 0, weight=0.5) == 0.5
