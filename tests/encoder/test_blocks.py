"""Relative position bias, layer scale and the dense use of the encoder, against plain loops."""

import math

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from bootmae_mm.encoder.attention import EncoderAttention
from bootmae_mm.encoder.position import relative_position_index, resize_bias_table
from bootmae_mm.encoder.vit import BootMAEViT

CPU = torch.device('cpu')
ARCH = dict(embed_dims=24, num_layers=3, num_heads=3, feedforward_channels=48)


@pytest.mark.parametrize('grid', [(2, 3), (3, 2), (1, 1)])
def test_relative_position_index_counts_distances(grid):
    index = relative_position_index(grid, CPU)
    rows, columns = grid
    places = [(row, column) for row in range(rows) for column in range(columns)]
    class_rows = (2 * rows - 1) * (2 * columns - 1)
    assert index[0, 0] == class_rows + 2
    for i, (y, x) in enumerate(places, start=1):
        assert (index[0, i], index[i, 0]) == (class_rows, class_rows + 1)
        for j, (other_y, other_x) in enumerate(places, start=1):
            expected = (y - other_y + rows - 1) * (2 * columns - 1) + x - other_x + columns - 1
            assert index[i, j] == expected


def test_the_bias_is_added_to_the_scores():
    layer = EncoderAttention((2, 2), embed_dims=8, num_heads=2)
    torch.nn.init.normal_(layer.relative_position_bias_table)
    x = torch.randn(1, 5, 8)
    qkv = layer.qkv(x)[0]
    index = relative_position_index((2, 2), CPU)
    heads = []
    for head in range(2):
        q, k, v = (qkv[:, start + 4 * head : start + 4 * head + 4] for start in (0, 8, 16))
        scores = q @ k.T / math.sqrt(4)
        for i in range(5):
            for j in range(5):
                scores[i, j] += layer.relative_position_bias_table[index[i, j], head]
        heads.append(scores.softmax(-1) @ v)
    expected = layer.proj(torch.cat(heads, dim=-1))[None]
    torch.testing.assert_close(layer(x, (2, 2)), expected, atol=1e-5, rtol=1e-5)


def test_the_gradients_of_a_fused_projection_are_put_together_in_one_copy():
    """As they lie in the projection's output; a second copy would put them in that order."""
    layer = EncoderAttention(embed_dims=24, num_heads=3)
    out = layer(torch.randn(2, 5, 24, requires_grad=True), (2, 2))
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        out.backward(torch.randn(2, 5, 24))
    names = [event.name for event in profiler.events()]
    assert names.count('aten::stack') == 1 and 'aten::clone' not in names


def test_a_bias_table_is_resized_and_keeps_the_class_token():
    table = torch.randn(3 * 5 + 3, 2)
    assert resize_bias_table(table, (2, 3), (2, 3)) is table
    resized = resize_bias_table(table, (2, 3), (4, 5))
    assert resized.shape == (7 * 9 + 3, 2)
    assert torch.equal(resized[-3:], table[-3:])
    flat = torch.ones(18, 2)
    torch.testing.assert_close(resize_bias_table(flat, (2, 3), (4, 5)), torch.ones(66, 2))


def test_zero_tables_and_unit_layer_scale_change_nothing(images):
    plain = BootMAEViT(ARCH, img_size=32, patch_size=8, out_type='featmap', final_norm=False)
    plain.init_weights()
    extended = BootMAEViT(
        ARCH, img_size=32, patch_size=8, out_type='featmap', final_norm=False,
        relative_position_bias=True, layer_scale_init_value=1.0, train_pos_embed=True,
    )  # fmt: skip
    missing = extended.load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert all('relative_position_bias_table' in key or 'gamma' in key for key in missing)
    for model in (plain, extended):
        model.eval()
    torch.testing.assert_close(extended(images)[0], plain(images)[0], atol=1e-5, rtol=1e-5)
    assert extended.pos_embed.requires_grad and not plain.pos_embed.requires_grad


@pytest.mark.parametrize('size', [(32, 32), (24, 56), (35, 50), (64, 16)])
@pytest.mark.parametrize('bias', [False, True])
def test_any_image_size(size, bias):
    """Also sides that the patch does not divide; features of several blocks, without final norm."""
    model = BootMAEViT(
        ARCH, img_size=32, patch_size=8, out_type='featmap', out_indices=[0, 2],
        final_norm=False, relative_position_bias=bias,
    )  # fmt: skip
    model.init_weights()
    model.eval()
    image = torch.randn(1, 3, *size)
    maps = model(image)
    grid = tuple(math.ceil(length / 8) for length in size)
    assert [tuple(m.shape) for m in maps] == [(1, 24, *grid)] * 2
    _, taps = model.encode(image, taps=(0, 2))
    for m, block in zip(maps, (0, 2), strict=True):
        torch.testing.assert_close(m.flatten(2).transpose(1, 2), taps[block][:, 1:])
