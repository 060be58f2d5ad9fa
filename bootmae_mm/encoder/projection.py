"""Projections without key bias, and how the release starts its linear layers."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FusedProjection(nn.Linear):
    """A fused ``qkv`` or ``kv`` projection whose key rows have no bias.

    The release gives q and v a bias and k none. A key bias never changes softmax attention, so a
    stored one is ignored here rather than trained: its gradient would be round-off that Adam
    amplifies. Weight ``(len(parts) * inner_dims, in_dims)`` and bias are stored like those of
    mmpretrain's ``MultiheadAttention.qkv``, in the order of ``parts``.
    """

    def __init__(self, in_dims: int, inner_dims: int, parts: str) -> None:
        super().__init__(in_dims, len(parts) * inner_dims)
        self.num_parts = len(parts)
        has_bias = torch.tensor([float(part != 'k') for part in parts])
        self.register_buffer('has_bias', has_bias.repeat_interleave(inner_dims), persistent=False)

    def forward(self, x: Tensor, parts: slice = slice(None)) -> Tensor:
        """Project to all parts, or to some consecutive ones."""
        weight, bias = self.weight, self.bias * self.has_bias
        if parts != slice(None):
            shape = self.num_parts, -1
            weight = weight.unflatten(0, shape)[parts].flatten(0, 1)
            bias = bias.unflatten(0, shape)[parts].flatten()
        return F.linear(x, weight, bias)


def init_linears_(module: nn.Module) -> None:
    """Initialise as the authors' release: Xavier-uniform linear layers with zero bias, LayerNorm at
    identity. The projections to q, k and v of a self-attention count as three separate layers."""
    for name, layer in module.named_modules():
        if isinstance(layer, nn.LayerNorm):
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Linear):
            separate = isinstance(layer, FusedProjection) and 'cross_attn' not in name
            rows = layer.out_features // (layer.num_parts if separate else 1)
            bound = math.sqrt(6 / (rows + layer.in_features))
            nn.init.uniform_(layer.weight, -bound, bound)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
