"""Which patches are hidden: block-wise and random masks of an exact count.

The only source of randomness of the method. All of it comes from the generator that is passed in;
the transforms take theirs from NumPy's global state, which the dataset seeds for every sample.
"""

import math
from collections.abc import Iterator
from functools import cache
from math import exp, sqrt

import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS

Random = np.random.RandomState  # or the module np.random, which has the same functions
MAX_ATTEMPTS = 1000  # to place one block; BEiT tries 10 times, the release without end
NUM_CANDIDATES = 24  # blocks drawn at a time


@cache
def rectangles(grid: tuple[int, int]) -> list[list[int]]:
    """The rectangle of every ``[height][width]`` below the grid's, in the top left corner, as a
    number whose bit ``row · columns + column`` stands for a patch."""
    rows, columns = grid
    return [
        [sum((2**width - 1) << row * columns for row in range(height)) for width in range(columns)]
        for height in range(rows)
    ]


def place_blocks(
    rng: Random,
    grid: tuple[int, int],
    num_blocked: int,
    block_size: tuple[int, int],
    aspect_ratio: tuple[float, float] = (0.3, 1 / 0.3),
) -> np.ndarray:
    """BEiT's block-wise mask: random rectangles until ``num_blocked`` patches are covered.

    Args:
        rng: Source of randomness.
        grid: ``(rows, columns)``.
        num_blocked: Patches to cover. No block covers more new ones than are still wanted, so that
            the result never has more; it has fewer when ``MAX_ATTEMPTS`` in a row found no place,
            as on a grid of a single row.
        block_size: Smallest and largest number of patches in a block.
        aspect_ratio: Smallest and largest height / width, drawn log-uniformly.

    Returns:
        Bool ``grid``, True = masked.
    """
    rows, columns = grid
    smallest, largest = block_size
    low, span = math.log(aspect_ratio[0]) / 2, math.log(aspect_ratio[1] / aspect_ratio[0]) / 2
    shapes = rectangles(grid)
    everything = free = 2 ** (rows * columns) - 1  # one bit per patch
    wanted, attempts = num_blocked, 0
    for u_area, u_aspect, u_top, u_left in draws_of_four(rng):
        if wanted <= 0 or attempts == MAX_ATTEMPTS:
            break
        attempts += 1
        most = wanted if wanted < largest else largest
        side = sqrt(smallest + u_area * (most - smallest))  # of a square of that area
        stretch = exp(low + u_aspect * span)
        height, width = int(side * stretch + 0.5), int(side / stretch + 0.5)
        if not (0 < height < rows and 0 < width < columns):
            continue
        top, left = int(u_top * (rows - height + 1)), int(u_left * (columns - width + 1))
        new = free & shapes[height][width] << top * columns + left
        num_new = new.bit_count()
        if 0 < num_new <= most:
            free ^= new
            wanted -= num_new
            attempts = 0
    return unpack_bits(everything ^ free, rows * columns).reshape(grid)


def draws_of_four(rng: Random) -> Iterator[list[float]]:
    """Uniform draws from 0 to 1, four at a time, without end."""
    while True:
        yield from rng.random_sample((NUM_CANDIDATES, 4)).tolist()


def unpack_bits(number: int, count: int) -> np.ndarray:
    """The lowest ``count`` bits of a number, bool ``(count,)``, the lowest first."""
    octets = np.frombuffer(number.to_bytes(-(-count // 8), 'little'), np.uint8)
    return np.unpackbits(octets, count=count, bitorder='little').view(bool)


def order_patches(rng: Random, block_mask: np.ndarray, max_roll: int) -> np.ndarray:
    """All patches, those outside the blocks first, each kind in random order, rolled by up to
    ``max_roll``: that many patches from inside the blocks come first (authors' release).

    Args:
        rng: Source of randomness.
        block_mask: Bool grid, True inside the blocks.
        max_roll: Largest roll; each from 0 on is as likely.

    Returns:
        int64 ``(N,)``; its head is to be visible, its tail masked.
    """
    order = (rng.random_sample(block_mask.size) + block_mask.ravel()).argsort()
    split = order.size - int(rng.random_sample() * (max_roll + 1))
    return np.concatenate([order[split:], order[:split]])


class PatchMasking(BaseTransform):
    """Base of the masking transforms.

    **Added keys:** ``ids_visible`` ``(V,)`` and ``ids_masked`` ``(M,)``, int64, the latter in
    random order (a teacher that sees a share of the masked patches takes the first ones). With
    several masks ``(num_masks, V)`` and ``(num_masks, M)``, each mask independent of the others.

    Args:
        grid: ``(rows, columns)`` of patches, or one number for a square.
        num_masked: Patches to mask, the same number in every image.
        num_masks: Masks per image, so that one pass of the teacher serves several of the student
            (as in data2vec 2.0).

    Raises:
        ValueError: If ``num_masked`` is not between 1 and the number of patches less one, or there
            is not at least one mask.
    """

    def __init__(self, grid: int | tuple[int, int], num_masked: int, num_masks: int = 1) -> None:
        self.grid = (grid, grid) if isinstance(grid, int) else tuple(grid)
        self.num_patches = self.grid[0] * self.grid[1]
        self.num_masked = num_masked
        self.num_masks = num_masks
        if not 1 <= num_masked < self.num_patches:
            raise ValueError(
                f'A mask must hide at least 1 and at most {self.num_patches - 1} of the '
                f'{self.num_patches} patches, found num_masked={num_masked}; change it or grid.'
            )
        if num_masks < 1:
            raise ValueError(f'An image needs at least one mask, found num_masks={num_masks}.')

    def order(self, rng: Random) -> np.ndarray:
        """All patches, those to mask last, int64 ``(N,)``."""
        raise NotImplementedError

    def draw(self, rng: Random) -> tuple[np.ndarray, np.ndarray]:
        """``ids_visible`` and ``ids_masked`` of one mask."""
        order = self.order(rng)
        num_visible = self.num_patches - self.num_masked
        return order[:num_visible], rng.permutation(order[num_visible:])

    def transform(self, results: dict) -> dict:
        """Add the indices of the visible and of the masked patches."""
        masks = [self.draw(np.random) for _ in range(self.num_masks)]
        for key, ids in zip(('ids_visible', 'ids_masked'), zip(*masks, strict=True), strict=True):
            results[key] = ids[0] if self.num_masks == 1 else np.stack(ids)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(grid={self.grid}, num_masked={self.num_masked}, '
            f'num_masks={self.num_masks})'
        )


@TRANSFORMS.register_module()
class RandomMasking(PatchMasking):
    """Uniformly random masks (Table 3, as in MAE)."""

    def order(self, rng: Random) -> np.ndarray:
        """A random permutation."""
        return rng.permutation(self.num_patches)


@TRANSFORMS.register_module()
class BlockwiseMasking(PatchMasking):
    """Block-wise masks: BEiT's blocks, filled up at random to an exact count (paper, sections 3.1
    and 4.2; the numbers are the authors' release's).

    The release draws the roll once per batch; here every image draws its own, so that a mask
    depends on nothing but its sample. The distribution of a mask is the same.

    Args:
        grid: Patches per side, see :class:`PatchMasking`.
        num_masked: Patches to mask; 147 of 196 in the paper.
        num_blocked: Patches covered by blocks; the release's 120 of 147 masked ones by default.
        block_size: Smallest and largest block; the release's 16 and 60 of 196 by default.
        max_roll: Up to this many patches from inside the blocks become visible.
        num_masks: Masks of each image, see :class:`PatchMasking`.

    Raises:
        ValueError: If the numbers contradict each other.
    """

    def __init__(
        self,
        grid: int | tuple[int, int],
        num_masked: int,
        num_blocked: int | None = None,
        block_size: tuple[int, int] | None = None,
        max_roll: int = 3,
        num_masks: int = 1,
    ) -> None:
        super().__init__(grid, num_masked, num_masks)
        default_size = [max(1, round(share * self.num_patches / 196)) for share in (16, 60)]
        self.num_blocked = round(num_masked * 120 / 147) if num_blocked is None else num_blocked
        self.block_size = tuple(block_size or default_size)
        self.max_roll = max_roll
        smallest, largest = self.block_size
        if not (0 <= self.num_blocked <= self.num_patches and 1 <= smallest <= largest):
            raise ValueError(
                f'Blocks must cover at most the {self.num_patches} patches and have a size from at '
                f'least 1 up, found num_blocked={self.num_blocked} and '
                f'block_size={self.block_size}.'
            )
        if not 0 <= max_roll < self.num_patches:
            raise ValueError(
                f'max_roll must be at least 0 and less than the {self.num_patches} patches, '
                f'found {max_roll}.'
            )

    def order(self, rng: Random) -> np.ndarray:
        """Patches outside the blocks first, rolled."""
        blocks = place_blocks(rng, self.grid, self.num_blocked, self.block_size)
        return order_patches(rng, blocks, self.max_roll)
