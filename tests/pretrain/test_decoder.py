"""The target-aware decoder: order of tokens, what it is handed, what it computes."""

import math

import pytest
import torch

from bootmae_mm.pretrain.decoder import TargetAwareDecoder

SIZES = dict(encoder_dims=24, num_heads=3, grid=(4, 4), out_channels=3, out_patch_size=8)


def build(**kwargs) -> TargetAwareDecoder:
    decoder = TargetAwareDecoder(**{**SIZES, 'embed_dims': 16, 'context_layer': 0, **kwargs})
    decoder.init_weights()
    return decoder


def inputs():
    return torch.randn(2, 5, 24), torch.randn(2, 5, 24), torch.rand(2, 16).argsort(1)[:, 4:]


def test_each_mask_token_carries_its_own_position():
    """Swapping two masked patches swaps their predictions and changes no other."""
    decoder = build()
    latent, context, ids = inputs()
    swapped = ids.clone()
    swapped[:, [0, 7]] = ids[:, [7, 0]]
    out, out_swapped = decoder(latent, context, ids), decoder(latent, context, swapped)
    expected = out.clone()
    expected[:, [0, 7]] = out[:, [7, 0]]
    torch.testing.assert_close(out_swapped, expected, atol=1e-5, rtol=1e-5)
    assert (out[:, 0] - out[:, 7]).abs().max() > 1e-4


@pytest.mark.parametrize('depth', [1, 2])
def test_skipping_visible_rows_changes_nothing_for_masked_ones(depth):
    decoder = build(depth=depth)
    latent, context, ids = inputs()
    everything = decoder(latent, context, ids, predict_visible=True)
    assert everything.shape == (2, 16, 192)
    torch.testing.assert_close(decoder(latent, context, ids), everything[:, 4:])
    few = decoder(latent, context, ids, num_predicted=5)
    torch.testing.assert_close(few, everything[:, 4:9])


def test_the_context_is_used_unless_switched_off():
    latent, context, ids = inputs()
    decoder = build()
    assert not torch.allclose(decoder(latent, context, ids), decoder(latent, -context, ids))
    plain = build(context_layer=None)
    torch.testing.assert_close(plain(latent, context, ids), plain(latent, None, ids))


def test_regressor_and_predictor_differ_by_config_only():
    latent, context, ids = inputs()
    predictor = build(embed_dims=None, out_channels=24, out_patch_size=1)
    assert predictor(latent, context, ids).shape == (2, 12, 24)
    assert predictor.head.weight.abs().max().item() == pytest.approx((6 / 48) ** 0.5, rel=0.05)
    regressor = build()
    assert regressor.head.weight.abs().max().item() == pytest.approx(192**-0.5, rel=0.05)


def test_mask_tokens_start_as_in_the_release():
    """Normal, cut at one deviation of 0.02: √(1 − 2 φ(1) / (2 Φ(1) − 1)) of it is left."""
    decoder = build()
    decoder.mask_token = torch.nn.Parameter(torch.zeros(1, 1, 50_000))
    decoder.init_weights()
    token = decoder.mask_token.detach()
    assert token.abs().max().item() <= 0.02
    density = math.exp(-0.5) / math.sqrt(2 * math.pi)
    expected = 0.02 * math.sqrt(1 - 2 * density / math.erf(math.sqrt(0.5)))
    assert expected == pytest.approx(0.0108, abs=1e-5)
    assert token.std().item() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize('wrong', [dict(depth=0), dict(embed_dims=2)])
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match='at least one block and a width of at least its 3'):
        build(**wrong)
