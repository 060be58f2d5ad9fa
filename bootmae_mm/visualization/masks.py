"""Fig. 2: pictures under random and block-wise masks, drawn by the transforms of pretraining."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from ..pretrain.masking import BlockwiseMasking, PatchMasking, RandomMasking
from ..pretrain.reconstruct import GREY
from .images import Picture, centre_crops
from .painting import Figure


def find_masking(transforms: Iterable) -> PatchMasking:
    """The masking transform of a pretraining pipeline.

    Raises:
        ValueError: If there is none.
    """
    for transform in transforms:
        if isinstance(transform, PatchMasking):
            return transform
    raise ValueError(
        'Pictures of pretraining need the masks of the training pipeline, found no masking '
        'transform in it; add BlockwiseMasking or RandomMasking.'
    )


def draw_ids(masking: PatchMasking, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """``ids_visible`` ``(B, V)`` and ``ids_masked`` ``(B, M)`` of one mask for each image. They
    depend on ``seed`` and the image's number; no global random state is used."""
    masks = [masking.draw(np.random.RandomState([seed, number])) for number in range(count)]
    visible, masked = zip(*masks, strict=True)
    return torch.from_numpy(np.stack(visible)), torch.from_numpy(np.stack(masked))


def hide_patches(
    pixels_BHW3: np.ndarray, ids_masked_BM: Tensor, grid: tuple[int, int]
) -> np.ndarray:
    """Paint the masked patches grey; the grid must divide the pictures."""
    hidden = pixels_BHW3.copy()
    height, width = (
        length // number for length, number in zip(hidden.shape[1:3], grid, strict=True)
    )
    for picture, ids in zip(hidden, ids_masked_BM.tolist(), strict=True):
        for row, column in (divmod(index, grid[1]) for index in ids):
            top, left = row * height, column * width
            picture[top : top + height, left : left + width] = GREY
    return hidden


def mask_figure(
    pictures: Sequence[Picture], grid: int, num_masked: int, patch_size: int, seed: int
) -> Figure:
    """Each picture whole, under a random and under a block-wise mask.

    Args:
        pictures: Pictures of any size; the middle is shown.
        grid: Patches per side.
        num_masked: Patches to mask; 147 of 14 × 14 in the paper.
        patch_size: Side of a patch in pixels.
        seed: Seed of the masks.

    Raises:
        ValueError: If so many patches cannot be masked.
    """
    pixels = centre_crops(pictures, (grid * patch_size, grid * patch_size))
    columns = [pixels]
    for masking in (RandomMasking(grid, num_masked), BlockwiseMasking(grid, num_masked)):
        _, ids_masked_BM = draw_ids(masking, len(pixels), seed)
        columns.append(hide_patches(pixels, ids_masked_BM, masking.grid))
    return Figure(
        'masks',
        'Mask strategies',
        ('original', 'random mask', 'block-wise mask'),
        list(zip(*columns, strict=True)),
        f'{num_masked} of {grid} by {grid} patches are masked in both. A patch under a random mask '
        'usually has a visible neighbour to be guessed from; under a block-wise mask whole '
        'regions are hidden.',
    )
