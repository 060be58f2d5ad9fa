"""The encoder's self-attention: global, or in windows for large images.

Shape suffixes: see :mod:`.tokens`; T tokens are the class token and the patches, H heads, d
channels of a head, h × w patches of the grid.
"""

from itertools import product

import torch
import torch.nn.functional as F
from mmpretrain.models.utils import MultiheadAttention
from torch import Tensor, nn

from . import tokens
from .position import Grid, relative_position_index, resize_bias_table
from .projection import FusedProjection


class EncoderAttention(MultiheadAttention):
    """mmpretrain's attention (same keys) without key bias.

    Args:
        bias_grid: Grid of patches that the relative position bias is stored for, a table that
            starts at zero (authors' release); None for no such bias.
        window_size: Patches per side of a window, see :func:`windowed_attention`; None for global
            attention. The weights are the same.
        **kwargs: Those of mmpretrain's ``MultiheadAttention``.

    Raises:
        ValueError: If both a bias and windows are asked for, or a window is smaller than 1.
    """

    def __init__(
        self, bias_grid: Grid | None = None, window_size: int | None = None, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        if window_size is not None and (window_size < 1 or bias_grid is not None):
            raise ValueError(
                'Windowed attention expects window_size of at least 1 and no relative position '
                f'bias, found window_size={window_size} and relative_position_bias='
                f'{bias_grid is not None}; change one of them.'
            )
        self.qkv = FusedProjection(self.embed_dims, self.embed_dims, 'qkv')
        self.window_size = window_size
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

    def forward(self, x_BTD: Tensor, grid: Grid, rows_BK: Tensor | None = None) -> Tensor:
        """Attend; ``grid`` is the patch grid that the tokens after the class token fill. With
        ``rows_BK`` only these tokens do, to all of them.

        Raises:
            ValueError: If rows are chosen and there are windows or a relative position bias.
        """
        if rows_BK is not None:
            return self._attend_from(x_BTD, rows_BK)
        q, k, v = self._heads(self.qkv(x_BTD))
        if self.window_size is None:
            bias = self.position_bias(grid)
            mask = None if bias is None else bias.to(q.dtype)
            out = F.scaled_dot_product_attention(q, k, v, mask)
        else:
            out = windowed_attention(q, k, v, grid, self.window_size)
        return self._output(out)

    def _attend_from(self, x_BTD: Tensor, rows_BK: Tensor) -> Tensor:
        if self.window_size is not None or self.bias_grid is not None:
            raise ValueError(
                'Attention from chosen tokens expects neither windows nor a relative position '
                'bias, found one of them; leave them out of the pretraining encoder.'
            )
        (q,) = self._heads(self.qkv(tokens.gather(x_BTD, rows_BK), slice(0, 1)))
        k, v = self._heads(self.qkv(x_BTD, slice(1, 3)))
        return self._output(F.scaled_dot_product_attention(q, k, v))

    def _heads(self, x_BTE: Tensor) -> tuple[Tensor, ...]:
        """The parts of fused projections, ``(B, H, T, d)`` each."""
        x = x_BTE.unflatten(-1, (-1, self.num_heads, self.head_dims))
        # Taken apart first: the gradients are then put together where the projection has them.
        return tuple(part.transpose(1, 2) for part in x.unbind(2))

    def _output(self, out_BHTd: Tensor) -> Tensor:
        out = self.proj(out_BHTd.transpose(1, 2).flatten(2))
        return self.out_drop(self.gamma1(out))


def windowed_attention(
    q_BHTd: Tensor, k_BHTd: Tensor, v_BHTd: Tensor, grid: Grid, window_size: int
) -> Tensor:
    """Attention in which a patch sees the patches of its own window and the class token.

    Windows do not overlap and are ``window_size`` patches square; where they do not divide the
    grid, the last ones are narrower, so that nothing is padded. The class token sees everything.
    With one window this is global attention. (Windows as in ViTDet, arXiv 2203.16527, which has no
    class token and pads.)
    """
    class_BH1d = F.scaled_dot_product_attention(q_BHTd[:, :, :1], k_BHTd, v_BHTd)
    maps = [x[:, :, 1:].unflatten(2, grid) for x in (q_BHTd, k_BHTd, v_BHTd)]
    spans = [_spans(length, window_size) for length in grid]
    parts = []
    for (top, bottom, height), (left, right, width) in product(*spans):
        q, k, v = (_windows(x[:, :, top:bottom, left:right], height, width) for x in maps)
        shown = k_BHTd[:, :, :1], v_BHTd[:, :, :1]
        class_k, class_v = (x.repeat_interleave(len(q) // len(x), 0) for x in shown)
        out = F.scaled_dot_product_attention(
            q, torch.cat([class_k, k], 2), torch.cat([class_v, v], 2)
        )
        parts.append(_map(out, (bottom - top, right - left), height, width))
    columns = len(spans[1])
    rows = [torch.cat(parts[i : i + columns], 3) for i in range(0, len(parts), columns)]
    return torch.cat([class_BH1d, torch.cat(rows, 2).flatten(2, 3)], 2)


def _spans(length: int, window_size: int) -> list[tuple[int, int, int]]:
    """``(start, end, window)``: what whole windows cover, and the narrower rest."""
    whole = length // window_size * window_size
    spans = [(0, whole, window_size), (whole, length, length - whole)]
    return [span for span in spans if span[1] > span[0]]


def _windows(x_BHhwd: Tensor, height: int, width: int) -> Tensor:
    """``(B * windows, H, height * width, d)``, windows row-major."""
    x = x_BHhwd.unflatten(3, (-1, width)).unflatten(2, (-1, height))
    return x.permute(0, 2, 4, 1, 3, 5, 6).flatten(4, 5).flatten(0, 2)


def _map(out: Tensor, grid: Grid, height: int, width: int) -> Tensor:
    """The inverse of :func:`_windows`, ``(B, H, h, w, d)``."""
    x = out.unflatten(0, (-1, grid[0] // height, grid[1] // width)).unflatten(4, (height, width))
    return x.permute(0, 3, 1, 4, 2, 5, 6).flatten(4, 5).flatten(2, 3)
