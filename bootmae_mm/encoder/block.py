"""The encoder's block: mmpretrain's, with relative position bias where it is asked for.

Shape suffixes: see :mod:`bootmae_mm.tokens`; T tokens are the class token and the patches.
"""

import torch
import torch.nn.functional as F
from mmpretrain.models.backbones.vision_transformer import TransformerEncoderLayer
from mmpretrain.models.utils import MultiheadAttention
from torch import Tensor, nn

from .position import Grid, relative_position_index, resize_bias_table
from .projection import FusedProjection


class EncoderAttention(MultiheadAttention):
    """mmpretrain's attention (same keys) without key bias.

    Args:
        bias_grid: Grid of patches that the relative position bias is stored for, a table that
            starts at zero (authors' release); None for no such bias.
        **kwargs: Those of mmpretrain's ``MultiheadAttention``.
    """

    def __init__(self, bias_grid: Grid | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.qkv = FusedProjection(self.embed_dims, self.embed_dims, 'qkv')
        self.bias_grid = bias_grid
        if bias_grid is not None:
            rows = (2 * bias_grid[0] - 1) * (2 * bias_grid[1] - 1) + 3
            self.relative_position_bias_table = nn.Parameter(torch.zeros(rows, self.num_heads))

    def position_bias(self, grid: Grid) -> Tensor | None:
        """What is added to the scores of every head, ``(1, H, T, T)``, for an image of ``grid``."""
        if self.bias_grid is None:
            return None
        table_RH = resize_bias_table(self.relative_position_bias_table, self.bias_grid, grid)
        index_TT = relative_position_index(tuple(grid), table_RH.device)
        return table_RH[index_TT].permute(2, 0, 1).unsqueeze(0)

    def forward(self, x_BTD: Tensor, grid: Grid) -> Tensor:
        """Attend; ``grid`` is the patch grid that the tokens after the class token fill."""
        qkv = self.qkv(x_BTD).unflatten(-1, (3, self.num_heads, self.head_dims))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        bias = self.position_bias(grid)
        out = F.scaled_dot_product_attention(q, k, v, None if bias is None else bias.to(q.dtype))
        out = self.proj(out.transpose(1, 2).flatten(2))
        return self.out_drop(self.gamma1(out))


class EncoderBlock(TransformerEncoderLayer):
    """Pre-norm block: attention and MLP, each with a residual, and with drop path and layer scale
    where they are asked for.

    Args:
        bias_grid: See :class:`EncoderAttention`.
        **kwargs: Those of mmpretrain's ``TransformerEncoderLayer``.
    """

    def __init__(self, bias_grid: Grid | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        drop_path = dict(type='DropPath', drop_prob=kwargs.get('drop_path_rate', 0.0))
        self.attn = EncoderAttention(
            bias_grid,
            embed_dims=self.embed_dims,
            num_heads=kwargs['num_heads'],
            dropout_layer=drop_path,
            layer_scale_init_value=kwargs.get('layer_scale_init_value', 0.0),
        )

    def forward(self, x_BTD: Tensor, grid: Grid) -> Tensor:
        """``(B, T, D)`` to the same; ``grid`` is the patch grid of the tokens."""
        x_BTD = x_BTD + self.attn(self.ln1(x_BTD), grid)
        return self.ffn(self.ln2(x_BTD), identity=x_BTD)
