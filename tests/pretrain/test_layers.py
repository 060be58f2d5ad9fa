"""Layers against plain loops and torch's own operators."""

import math

import pytest
import torch
import torch.nn.functional as F

from bootmae_mm.encoder.projection import FusedProjection, init_linears_
from bootmae_mm.pretrain.layers import Attention, DecoderBlock, PatchProjection


def plain_attention(layer: Attention, query, context):
    """Softmax attention one head and one query at a time."""
    width = layer.head_dims
    q = layer.q(query)
    k = F.linear(context, layer.kv.weight[: len(layer.kv.weight) // 2])
    v = F.linear(context, *(p[len(p) // 2 :] for p in (layer.kv.weight, layer.kv.bias)))
    rows = []
    for b in range(query.shape[0]):
        for row in range(query.shape[1]):
            heads = []
            for start in range(0, q.shape[-1], width):
                part = slice(start, start + width)
                scores = k[b, :, part] @ q[b, row, part] / math.sqrt(width)
                heads.append(scores.softmax(0) @ v[b, :, part])
            rows.append(torch.cat(heads))
    return layer.proj(torch.stack(rows)).view(query.shape)


@pytest.mark.parametrize('query_dims, context_dims, num_heads', [(16, 16, 4), (17, 10, 3)])
def test_attention_is_softmax_attention(query_dims, context_dims, num_heads):
    layer = Attention(query_dims, context_dims, num_heads)
    query, context = torch.randn(2, 5, query_dims), torch.randn(2, 7, context_dims)
    torch.testing.assert_close(layer(query, context), plain_attention(layer, query, context))


def test_a_key_bias_is_neither_used_nor_trained():
    layer = FusedProjection(6, 4, 'qkv')
    x = torch.randn(3, 6)
    before = layer(x)
    with torch.no_grad():
        layer.bias[4:8] += 100
    assert torch.equal(layer(x), before)
    layer(x).square().sum().backward()
    assert layer.bias.grad[4:8].abs().max() == 0
    assert layer.bias.grad[:4].abs().min() > 0 and layer.bias.grad[8:].abs().min() > 0


def test_block_without_context_has_no_cross_attention():
    block = DecoderBlock(12, None, 3)
    assert not any('cross' in name or 'context' in name for name, _ in block.named_parameters())
    x = torch.randn(2, 5, 12)
    hidden = x + block.self_attn(block.norm1(x), block.norm1(x))
    torch.testing.assert_close(block(x, None), hidden + block.mlp(block.norm2(hidden)))


def test_later_rows_of_a_block_do_not_depend_on_how_many_are_computed():
    block = DecoderBlock(12, 8, 3)
    x, context = torch.randn(2, 9, 12), torch.randn(2, 4, 8)
    for rows in (slice(4, None), slice(3, 5)):
        torch.testing.assert_close(block(x, context, rows), block(x, context)[:, rows])


def test_patch_projection_is_a_transposed_convolution():
    layer = PatchProjection(10, 3, 4)
    x = torch.randn(2, 5, 10)
    image = F.conv_transpose2d(x.reshape(10, 10, 1, 1), layer.weight, layer.bias, stride=4)
    torch.testing.assert_close(layer(x), image.reshape(2, 5, 48))


def test_initialisation_has_the_release_bounds():
    block = DecoderBlock(32, 48, 4)
    init_linears_(block)
    bounds = {
        block.self_attn.q: math.sqrt(6 / (32 + 32)),
        block.self_attn.kv: math.sqrt(6 / (32 + 32)),  # k and v count separately
        block.cross_attn.kv: math.sqrt(6 / (64 + 48)),  # here they do not
        block.mlp[0]: math.sqrt(6 / (32 + 128)),
    }
    for layer, bound in bounds.items():
        assert layer.weight.abs().max().item() == pytest.approx(bound, rel=0.02)
        assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
        assert layer.bias.abs().max() == 0
