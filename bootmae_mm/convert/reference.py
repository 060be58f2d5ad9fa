"""What the authors' release computes, written directly on its own names of weights: plain functions
that share nothing with our models, to compare these with.

Shape suffixes: see :mod:`bootmae_mm.encoder.tokens`. ``w`` is a state dict with the release's
names.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Weights = dict[str, Tensor]


def encode(
    w: Weights, images_BCHW: Tensor, num_heads: int, ids_BK: Tensor | None = None
) -> list[Tensor]:
    """The outputs of all blocks, ``(B, 1 + K, D)`` each, for the class token and the patches
    ``ids_BK`` (None: all of them), without the final norm."""
    patches = F.conv2d(
        images_BCHW,
        w['patch_embed.proj.weight'],
        w['patch_embed.proj.bias'],
        stride=w['patch_embed.proj.weight'].shape[-2:],
    )
    grid = patches.shape[-2:]
    x = patches.flatten(2).transpose(1, 2) + w['pos_embed'][:, 1:]
    if ids_BK is not None:
        x = torch.stack([row[ids] for row, ids in zip(x, ids_BK, strict=True)])
    first = (w['cls_token'] + w['pos_embed'][:, :1]).expand(len(x), -1, -1)
    x = torch.cat([first, x], dim=1)
    outputs = []
    while f'blocks.{len(outputs)}.norm1.weight' in w:
        name = f'blocks.{len(outputs)}'
        y = norm(w, f'{name}.norm1', x)
        y = attend(w, f'{name}.attn', y, num_heads, position_bias(w, f'{name}.attn', grid))
        x = x + w.get(f'{name}.gamma_1', 1) * y
        x = x + w.get(f'{name}.gamma_2', 1) * mlp(w, f'{name}.mlp', norm(w, f'{name}.norm2', x))
        outputs.append(x)
    return outputs


def predict(
    w: Weights, suffix: str, latent: Tensor, context: Tensor, ids_masked_BM: Tensor, num_heads: int
) -> Tensor:
    """What a decoder predicts for the masked patches: pixels ``(B, M, 3 * p * p)`` for the suffix
    ``''``, features ``(B, M, D)`` for ``'_1'``."""
    table = w['de_pos_embed' if suffix == '' else 'pos_embed'][0, 1:]
    masked = torch.stack([w[f'mask_token{suffix}'][0] + table[ids] for ids in ids_masked_BM])
    x = torch.cat([linear(w, f'down{suffix}', latent), masked], dim=1)
    index = 0
    while f'decode_blocks{suffix}.{index}.norm1.weight' in w:
        name = f'decode_blocks{suffix}.{index}'
        x = x + attend(w, f'{name}.attn', norm(w, f'{name}.norm1', x), num_heads)
        if f'{name}.c_attn.q.weight' in w:
            query = norm(w, f'{name}.norm3', x)
            x = x + cross_attend(
                w, f'{name}.c_attn', query, norm(w, f'{name}.norm4', context), num_heads
            )
        x = x + mlp(w, f'{name}.mlp', norm(w, f'{name}.norm2', x))
        index += 1
    x = norm(w, f'decode_norm{suffix}', x)[:, latent.shape[1] :]
    if suffix:
        return linear(w, 'lm_head_1', x)
    pixels = torch.einsum('bme,ecyx->bmcyx', x, w['lm_head.proj.weight'])
    return (pixels + w['lm_head.proj.bias'][:, None, None]).flatten(2)


def classify(w: Weights, images_BCHW: Tensor, num_heads: int) -> Tensor:
    """Class scores: the mean of the patches, a norm, a linear layer."""
    mean = encode(w, images_BCHW, num_heads)[-1][:, 1:].mean(1)
    return linear(w, 'head', norm(w, 'fc_norm', mean))


def pyramid(w: Weights, images_BCHW: Tensor, num_heads: int, blocks: Sequence[int]) -> list[Tensor]:
    """The segmentation backbone's four maps, finest first, of four ``blocks`` (from 0)."""
    outputs = encode(w, images_BCHW, num_heads)
    side = w['patch_embed.proj.weight'].shape[-1]
    shape = images_BCHW.shape[2] // side, images_BCHW.shape[3] // side
    maps = [outputs[block][:, 1:].transpose(1, 2).unflatten(2, shape) for block in blocks]
    names = 'running_mean', 'running_var', 'weight', 'bias'
    x = F.batch_norm(double(w, 'fpn1.0', maps[0]), *(w[f'fpn1.1.{name}'] for name in names))
    return [
        double(w, 'fpn1.3', F.gelu(x)),
        double(w, 'fpn2.0', maps[1]),
        maps[2],
        F.max_pool2d(maps[3], 2),
    ]


def linear(w: Weights, name: str, x: Tensor) -> Tensor:
    """A linear layer."""
    return x @ w[f'{name}.weight'].T + w[f'{name}.bias']


def norm(w: Weights, name: str, x: Tensor) -> Tensor:
    """LayerNorm with epsilon 1e-6."""
    return F.layer_norm(x, x.shape[-1:], w[f'{name}.weight'], w[f'{name}.bias'], 1e-6)


def mlp(w: Weights, name: str, x: Tensor) -> Tensor:
    """Two linear layers with GELU between."""
    return linear(w, f'{name}.fc2', F.gelu(linear(w, f'{name}.fc1', x)))


def double(w: Weights, name: str, x: Tensor) -> Tensor:
    """A transposed convolution with kernel = stride = 2."""
    return F.conv_transpose2d(x, w[f'{name}.weight'], w[f'{name}.bias'], stride=2)


def attend(w: Weights, name: str, x: Tensor, num_heads: int, bias: Tensor | float = 0.0) -> Tensor:
    """Self-attention: q and v have a bias, k has none; ``bias`` is added to the scores."""
    q, k, v = (x @ part.T for part in w[f'{name}.qkv.weight'].chunk(3))
    out = mix(q + w[f'{name}.q_bias'], k, v + w[f'{name}.v_bias'], num_heads, bias)
    return linear(w, f'{name}.proj', out)


def cross_attend(w: Weights, name: str, query: Tensor, context: Tensor, num_heads: int) -> Tensor:
    """Attention to a context."""
    q = query @ w[f'{name}.q.weight'].T + w[f'{name}.q_bias']
    k, v = (context @ part.T for part in w[f'{name}.kv.weight'].chunk(2))
    return linear(w, f'{name}.proj', mix(q, k, v + w[f'{name}.v_bias'], num_heads))


def mix(q: Tensor, k: Tensor, v: Tensor, num_heads: int, bias: Tensor | float = 0.0) -> Tensor:
    """Softmax attention of several heads, written out."""
    q, k, v = (x.unflatten(2, (num_heads, -1)).transpose(1, 2) for x in (q, k, v))
    scores = q @ k.transpose(2, 3) / q.shape[-1] ** 0.5 + bias
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


def position_bias(w: Weights, name: str, grid: Sequence[int]) -> Tensor | float:
    """Bias of the scores ``(heads, T, T)`` from a block's table of relative positions; BEiT's."""
    if f'{name}.relative_position_bias_table' not in w:
        return 0.0
    table = w[f'{name}.relative_position_bias_table']
    rows, columns = grid
    y = torch.arange(rows).repeat_interleave(columns)
    x = torch.arange(columns).repeat(rows)
    down, right = y[:, None] - y + rows - 1, x[:, None] - x + columns - 1
    patches = table[down * (2 * columns - 1) + right]
    from_class = table[-3].expand(1, rows * columns, -1)
    to_class = table[-2].expand(rows * columns, 1, -1)
    first = torch.cat([table[-1].expand(1, 1, -1), from_class], dim=1)
    return torch.cat([first, torch.cat([to_class, patches], dim=1)]).permute(2, 0, 1)
