"""Position embeddings and relative position tables of one patch grid for another."""

import math
from collections.abc import Callable

import torch
from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor

# Not through the encoder's package: it imports this one.
from .position import Grid, resize_bias_table, sincos_position_embedding


def possible_grids(count: int, target: Grid, size: Callable[[Grid], int]) -> list[Grid]:
    """The grids that something with ``count`` rows may have been made for: a square (that of the
    published checkpoints) first, then one with the aspect of ``target``.

    Args:
        count: Number of rows.
        target: ``(rows, columns)`` of the encoder's grid.
        size: Number of rows that a grid has.

    Raises:
        ValueError: If neither has ``count`` rows: the count alone does not say which grid it was.
    """
    divisor = math.gcd(*target)
    grids = []
    for unit in ((1, 1), (target[0] // divisor, target[1] // divisor)):
        times = 1
        while size((times * unit[0], times * unit[1])) < count:
            times += 1
        grid = times * unit[0], times * unit[1]
        if size(grid) == count and grid not in grids:
            grids.append(grid)
    if not grids:
        raise ValueError(
            f'Expected position weights of a square grid of patches or of one with the aspect of '
            f'{target[0]} × {target[1]}, found {count} rows; give the encoder the img_size that '
            'the checkpoint was trained at.'
        )
    return grids


def fit_pos_embed(pos_embed: Tensor, target: Grid) -> tuple[Tensor, Grid]:
    """Resize a position embedding ``(1, 1 + patches, D)``, class token first, to the grid
    ``target`` (bicubic).

    A number of patches that both a square and the target's aspect have is taken for a square,
    unless the embedding is the fixed one of the other.

    Returns:
        The embedding, and the grid that it was for.
    """
    grids = possible_grids(pos_embed.shape[1] - 1, target, lambda grid: grid[0] * grid[1])
    source = grids[0]
    if len(grids) > 1:
        fixed = sincos_position_embedding(grids[1], pos_embed.shape[-1])
        if torch.allclose(pos_embed.float(), fixed, atol=1e-3):
            source = grids[1]
    return resize_pos_embed(pos_embed, source, target, 'bicubic', 1), source


def fit_bias_table(table: Tensor, target: Grid) -> tuple[Tensor, Grid]:
    """Resize a relative position table ``(distances + 3, heads)`` to the grid ``target``.

    Returns:
        The table, and the grid that it was for.
    """
    source = possible_grids(
        len(table) - 3, target, lambda grid: (2 * grid[0] - 1) * (2 * grid[1] - 1)
    )[0]
    return resize_bias_table(table, source, target), source
