"""Schedules against the paper's numbers."""

import pytest

from bootmae_mm.pretrain.schedules import feature_weight, teacher_decay

VIT_B = [(0, 0.999), (100, 0.9999), (400, 0.99999)]


@pytest.mark.parametrize(
    'epoch, decay',
    [(0, 0.999), (50, 0.99945), (100, 0.9999), (250, 0.999945), (400, 0.99999), (799, 0.99999)],
)
def test_teacher_decay_of_vit_b(epoch, decay):
    assert teacher_decay(epoch, VIT_B) == pytest.approx(decay, abs=1e-12)


def test_teacher_decay_of_vit_l_stays():
    assert teacher_decay(500, VIT_B[:2]) == pytest.approx(0.9999, abs=1e-12)


@pytest.mark.parametrize('epochs', [200, 300, 800])
def test_feature_weight_is_the_release_formula(epochs):
    for epoch in range(epochs):
        expected = min(1, 4 * (epoch + 1) / epochs)
        assert feature_weight(epoch, epochs / 4) == pytest.approx(expected, abs=1e-12)


def test_feature_weight_without_ramp():
    assert feature_weight(0, 0, weight=0.5) == 0.5
