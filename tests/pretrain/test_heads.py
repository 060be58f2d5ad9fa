"""Targets and losses against plain loops."""

import numpy as np
import pytest
import torch

from bootmae_mm.pretrain.heads import FeatureHead, PixelHead, token_std, weighted_mse


@pytest.mark.parametrize('norm', ['channel', 'patch'])
def test_pixel_target_is_the_normalised_patch(norm, images):
    ids = torch.tensor([[5, 0], [15, 2]])
    target = PixelHead(norm).target(images, ids, patch_size=8)
    for b in range(2):
        for k in range(2):
            row, column = divmod(ids[b, k].item(), 4)
            patch = images[b, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8].numpy()
            axes = (1, 2) if norm == 'channel' else (0, 1, 2)
            mean = patch.mean(axes, keepdims=True)
            std = np.sqrt(patch.var(axes, keepdims=True) + 1e-5)
            expected = ((patch - mean) / std).reshape(-1)
            np.testing.assert_allclose(target[b, k].numpy(), expected, atol=1e-5)


def test_a_flat_patch_has_the_target_zero():
    flat = torch.full((1, 3, 8, 8), 0.7)
    assert PixelHead().target(flat, torch.zeros(1, 1, dtype=torch.long), 8).abs().max() < 1e-3


def test_weighted_mse_is_the_sum_over_patches_divided_by_their_number():
    pred, target, weight = torch.randn(2, 5, 7), torch.randn(2, 5, 7), torch.rand(2, 5) + 1
    total = 0.0
    for b in range(2):
        image = 0.0
        for k in range(5):
            image += weight[b, k] * ((pred[b, k] - target[b, k]) ** 2).sum() / 7
        total += image / 5
    torch.testing.assert_close(weighted_mse(pred, target, weight), total / 2)


def test_feature_loss_normalises_both_sides():
    head = FeatureHead()
    features, weight = 3 + 5 * torch.randn(2, 4, 16), torch.ones(2, 4)
    target = head.target(features)
    mean, var = features.mean(-1, keepdim=True), features.var(-1, unbiased=False, keepdim=True)
    torch.testing.assert_close(target, (features - mean) / (var + 1e-6).sqrt())
    assert head.loss(0.1 * features - 2, target, weight).item() == pytest.approx(0, abs=1e-4)


def test_losses_are_float32_whatever_the_predictions():
    pred, target = torch.randn(1, 2, 4, dtype=torch.bfloat16), torch.randn(1, 2, 4)
    assert weighted_mse(pred, target, torch.ones(1, 2)).dtype == torch.float32
    assert FeatureHead().target(pred).dtype == torch.float32


def test_spread_is_zero_for_a_collapse_and_one_for_independent_features():
    assert token_std(torch.randn(1, 1, 8).expand(4, 5, 8)).item() == pytest.approx(0, abs=1e-6)
    assert token_std(torch.randn(64, 50, 8)).item() == pytest.approx(1, abs=0.02)


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(ValueError, match="found norm='image'"):
        PixelHead('image')
