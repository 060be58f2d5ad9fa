"""Windowed attention against a plain loop over tokens."""

import math

import pytest
import torch

from bootmae_mm.encoder import BootMAEViT
from bootmae_mm.encoder.attention import windowed_attention

ARCH = dict(embed_dims=24, num_layers=3, num_heads=3, feedforward_channels=48)


def window_of(token: int, grid: tuple[int, int], size: int) -> tuple[int, int] | None:
    """Which window a token lies in; None for the class token."""
    if token == 0:
        return None
    row, column = divmod(token - 1, grid[1])
    return row // size, column // size


def plain(q, k, v, grid, size):
    """One image, one head and one query at a time, over the tokens that it may see."""
    out = torch.zeros_like(q)
    num_tokens = q.shape[2]
    for query in range(num_tokens):
        own = window_of(query, grid, size)
        seen = [
            token
            for token in range(num_tokens)
            if query == 0 or token == 0 or window_of(token, grid, size) == own
        ]
        for b in range(q.shape[0]):
            for h in range(q.shape[1]):
                scores = k[b, h, seen] @ q[b, h, query] / math.sqrt(q.shape[3])
                out[b, h, query] = scores.softmax(0) @ v[b, h, seen]
    return out


@pytest.mark.parametrize(
    'grid, size', [((4, 6), 2), ((5, 7), 3), ((2, 5), 3), ((3, 3), 3), ((1, 1), 2)]
)
def test_a_patch_sees_its_window_and_the_class_token(grid, size):
    q, k, v = torch.randn(3, 2, 2, 1 + grid[0] * grid[1], 4)
    ours = windowed_attention(q, k, v, grid, size)
    torch.testing.assert_close(ours, plain(q, k, v, grid, size), atol=1e-5, rtol=1e-5)


def build(**options) -> BootMAEViT:
    torch.manual_seed(0)
    model = BootMAEViT(
        ARCH, img_size=32, patch_size=8, out_type='featmap', out_indices=[0, 2], **options
    )
    model.init_weights()
    return model


def test_one_window_is_global_attention():
    images = torch.randn(2, 3, 32, 40)
    whole, windowed = build(), build(window_size=5)
    for ours, expected in zip(windowed(images), whole(images), strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)


def test_windows_need_no_other_weights_and_change_the_features():
    whole, windowed = build(), build(window_size=2)
    windowed.load_state_dict(whole.state_dict())
    images = torch.randn(1, 3, 32, 32)
    first, last = (a - b for a, b in zip(windowed(images), whole(images), strict=True))
    assert first.abs().max() > 1e-3 and last.abs().max() > 1e-3


def test_global_blocks_see_everything():
    images = torch.randn(1, 3, 32, 32)
    features = [build(window_size=2, global_blocks=blocks)(images)[0] for blocks in ((0,), (1, 2))]
    expected = build()(images)[0]
    torch.testing.assert_close(features[0], expected, atol=1e-6, rtol=1e-6)
    assert (features[1] - expected).abs().max() > 1e-3


def test_a_far_patch_does_not_reach_a_window():
    model = build(window_size=2)
    images = torch.randn(1, 3, 32, 32)
    changed = images.clone()
    changed[..., 24:, 24:] += 1
    near = model(images)[0] - model(changed)[0]
    assert near[..., 2:, 2:].abs().max() > 1e-3
    assert near[..., :2, :2].abs().max() < 1e-6


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(window_size=2, relative_position_bias=True), 'no relative position bias'),
        (dict(window_size=0), 'window_size of at least 1'),
        (dict(window_size=2, global_blocks=(3,)), r'0 to 2 in this encoder, found \[3\]'),
    ],
)
def test_what_windows_cannot_do(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_pretraining_on_visible_patches_refuses_windows():
    model = build(window_size=2)
    with pytest.raises(ValueError, match='whole grid'):
        model.encode(torch.randn(1, 3, 32, 32), torch.tensor([[0, 3]]))
