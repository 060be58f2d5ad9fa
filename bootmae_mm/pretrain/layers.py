"""Layers that the decoders are made of.

Shape suffixes: see :mod:`bootmae_mm.encoder.tokens`; E is the decoder's width, D its context's.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..encoder.projection import FusedProjection


class Attention(nn.Module):
    """Multi-head attention with separate query and context widths (paper, eq. 7 and 8).

    Args:
        query_dims: Width of the queries and of the output.
        context_dims: Width of the tokens that keys and values are made of.
        num_heads: Number of heads. They need not divide ``query_dims``: a head is
            ``query_dims // num_heads`` wide, 42 for the paper's regressor of width 512 with
            12 heads, so that the inner width is 504 (authors' release).
    """

    def __init__(self, query_dims: int, context_dims: int, num_heads: int) -> None:
        super().__init__()
        self.head_dims = query_dims // num_heads
        inner_dims = self.head_dims * num_heads
        self.q = nn.Linear(query_dims, inner_dims)
        self.kv = FusedProjection(context_dims, inner_dims, 'kv')
        self.proj = nn.Linear(inner_dims, query_dims)

    def forward(self, query_BKE: Tensor, context_BTD: Tensor) -> Tensor:
        """Return ``(B, K, E)``: every query's mixture of the context."""
        q = self._heads(self.q(query_BKE))
        k, v = (self._heads(x) for x in self.kv(context_BTD).chunk(2, dim=-1))
        out = F.scaled_dot_product_attention(q, k, v)
        return self.proj(out.transpose(1, 2).flatten(2))

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, self.head_dims)).transpose(1, 2)


class DecoderBlock(nn.Module):
    """Block of the target-aware decoder (Fig. 1 c): self-attention, cross-attention to the
    injected context, MLP, each pre-norm with a residual.

    Args:
        embed_dims: The decoder's width E.
        context_dims: Width D of the injected context; None for a plain block without
            cross-attention (Table 2).
        num_heads: Number of attention heads.
    """

    def __init__(self, embed_dims: int, context_dims: int | None, num_heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dims, eps=1e-6)
        self.self_attn = Attention(embed_dims, embed_dims, num_heads)
        self.cross_attn = None
        if context_dims is not None:
            self.norm_query = nn.LayerNorm(embed_dims, eps=1e-6)
            self.norm_context = nn.LayerNorm(context_dims, eps=1e-6)
            self.cross_attn = Attention(embed_dims, context_dims, num_heads)
        self.norm2 = nn.LayerNorm(embed_dims, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(embed_dims, 4 * embed_dims), nn.GELU(), nn.Linear(4 * embed_dims, embed_dims)
        )

    def forward(
        self, x_BTE: Tensor, context_BTD: Tensor | None, rows: slice = slice(None)
    ) -> Tensor:
        """Return ``rows`` of the block's output, all of them by default; the other rows serve
        only as keys and values of the self-attention."""
        normed = self.norm1(x_BTE)
        x = x_BTE[:, rows] + self.self_attn(normed[:, rows], normed)
        if self.cross_attn is not None:
            x = x + self.cross_attn(self.norm_query(x), self.norm_context(context_BTD))
        return x + self.mlp(self.norm2(x))


class PatchProjection(nn.Module):
    """Token to the pixels of its patch, one bias per colour channel.

    The same function and the same parameters as a transposed convolution with kernel = stride =
    ``patch_size`` on single tokens, which is how the authors' release writes it.
    """

    def __init__(self, embed_dims: int, channels: int, patch_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(embed_dims, channels, patch_size, patch_size))
        self.bias = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """torch's own initialisation of ``ConvTranspose2d``, which the release leaves untouched."""
        bound = 1 / math.sqrt(self.weight[0].numel())
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., embed_dims)`` to ``(..., channels * patch_size**2)``, channel-major."""
        pixels = self.weight[0, 0].numel()
        return F.linear(x, self.weight.flatten(1).T, self.bias.repeat_interleave(pixels))
