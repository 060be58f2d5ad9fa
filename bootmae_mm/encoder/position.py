"""Where a patch is: sin-cos position embeddings and relative position bias, for any grid.

Shape suffixes: see :mod:`bootmae_mm.encoder.tokens`; R rows of a bias table, H heads.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from mmpretrain.models.utils import build_2d_sincos_position_embedding
from torch import Tensor

Grid = tuple[int, int]


def sincos_position_embedding(grid: tuple[int, int], embed_dims: int) -> Tensor:
    """Fixed 2-D sin-cos embedding of MoCo v3, class token (zeros) first, ``(1, 1 + h * w, D)``.

    mmpretrain's function enumerates a grid of (rows, columns) column by column, which shows only on
    non-square grids; with the grid turned round it is row-major, like the patches.

    Raises:
        ValueError: If ``embed_dims`` is not divisible by 4.
    """
    if embed_dims % 4:
        raise ValueError(
            f'A sin-cos position embedding needs a width divisible by 4, found {embed_dims}; '
            'choose another embed_dims.'
        )
    rows, columns = grid
    return build_2d_sincos_position_embedding((columns, rows), embed_dims, cls_token=True)


@lru_cache(maxsize=8)
def sincos_of_new_grid(
    grid: Grid, embed_dims: int, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """:func:`sincos_position_embedding` of the images of a dense task, made once per grid; not to
    be written to."""
    return sincos_position_embedding(grid, embed_dims).to(device, dtype)


@lru_cache(maxsize=8)
def relative_position_index(grid: Grid, device: torch.device) -> Tensor:
    """Row of the bias table for every pair of tokens, int64 ``(T, T)``, class token first.

    Row ``dy * (2 w - 1) + dx`` for two patches ``(dy, dx)`` apart, counted from the most negative;
    the last three rows are class token to patch, patch to class token, and class token to itself
    (BEiT; the release's segmentation model).
    """
    rows, columns = grid
    place = torch.stack(
        torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing='ij')
    ).flatten(1)
    apart = place[:, :, None] - place[:, None, :]
    num_distances = (2 * rows - 1) * (2 * columns - 1)
    index = torch.empty(rows * columns + 1, rows * columns + 1, dtype=torch.long)
    index[1:, 1:] = (apart[0] + rows - 1) * (2 * columns - 1) + apart[1] + columns - 1
    index[0, :], index[:, 0] = num_distances, num_distances + 1
    index[0, 0] = num_distances + 2
    return index.to(device)


def resize_bias_table(table_RH: Tensor, old: Grid, new: Grid) -> Tensor:
    """The bias table of grid ``old`` for grid ``new``: distances interpolated bicubically, the
    class token's three rows kept."""
    if tuple(old) == tuple(new):
        return table_RH
    distances, class_rows = table_RH[:-3], table_RH[-3:]
    image = distances.T.reshape(1, -1, 2 * old[0] - 1, 2 * old[1] - 1)
    size = (2 * new[0] - 1, 2 * new[1] - 1)
    resized = F.interpolate(image.float(), size, mode='bicubic', align_corners=False)
    return torch.cat([resized.flatten(2)[0].T.to(table_RH.dtype), class_rows])
