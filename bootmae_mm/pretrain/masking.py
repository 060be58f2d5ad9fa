"""Which patches are hidden: block-wise and random masks of an exact count.

The only source of randomness of the method. All of it comes from the generator that is passed in;
the transforms take theirs from NumPy's global state, which the dataset seeds for every sample.
"""

import math

import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS

Random = np.random.RandomState  # or the module np.random, which has the same functions
MAX_ATTEMPTS = 1000  # to place one block; BEiT tries 10 times, the release without end


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
    mask = np.zeros(grid, dtype=bool)
    log_aspect = (math.log(aspect_ratio[0]), math.log(aspect_ratio[1]))
    wanted, attempts = num_blocked, 0
    while wanted > 0 and attempts < MAX_ATTEMPTS:
        attempts += 1
        most = min(wanted, block_size[1])
        u_area, u_aspect, u_top, u_left = rng.random_sample(4)
        area = block_size[0] + u_area * (most - block_size[0])
        aspect = math.exp(log_aspect[0] + u_aspect * (log_aspect[1] - log_aspect[0]))
        height = round(math.sqrt(area * aspect))
        width = round(math.sqrt(area / aspect))
        if not (0 < height < rows and 0 < width < columns):
            continue
        top = int(u_top * (rows - height + 1))
        left = int(u_left * (columns - width + 1))
        block = mask[top : top + height, left : left + width]
        num_new = block.size - np.count_nonzero(block)
        if 0 < num_new <= most:
            block[:] = True
            wanted -= num_new
            attempts = 0
    return mask


def order_patches(rng: Random, block_mask: np.ndarray, max_roll: int) -> np.ndarray:
    """All patches, those outside the blocks first, each kind in random order, rolled by up to
    ``max_roll``: that many patches from inside the blocks come first (authors' release).

    Returns:
        int64 ``(N,)``; its head is to be visible, its tail masked.
    """
    shuffled = rng.permutation(block_mask.size)
    order = shuffled[np.argsort(block_mask.ravel()[shuffled], kind='stable')]
    return np.roll(order, rng.randint(max_roll + 1)) if max_roll else order


class PatchMasking(BaseTransform):
    """Base of the masking transforms.

    **Added keys:** ``ids_visible`` and ``ids_masked``, int64, the latter in random order (a teacher
    that sees a share of the masked patches takes the first ones).

    Args:
        grid: ``(rows, columns)`` of patches, or one number for a square.
        num_masked: Patches to mask, the same number in every image.

    Raises:
        ValueError: If ``num_masked`` is not between 1 and the number of patches less one.
    """

    def __init__(self, grid: tuple[int, int], num_masked: int) -> None:
        self.grid = (grid, grid) if isinstance(grid, int) else tuple(grid)
        self.num_patches = self.grid[0] * self.grid[1]
        self.num_masked = num_masked
        if not 1 <= num_masked < self.num_patches:
            raise ValueError(
                f'A mask must hide at least 1 and at most {self.num_patches - 1} of the '
                f'{self.num_patches} patches, found num_masked={num_masked}; change it or grid.'
            )

    def order(self, rng: Random) -> np.ndarray:
        """All patches, those to mask last, int64 ``(N,)``."""
        raise NotImplementedError

    def transform(self, results: dict) -> dict:
        """Add the indices of the visible and of the masked patches."""
        order = self.order(np.random)
        num_visible = self.num_patches - self.num_masked
        results['ids_visible'] = order[:num_visible]
        results['ids_masked'] = np.random.permutation(order[num_visible:])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(grid={self.grid}, num_masked={self.num_masked})'


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
        grid: As in :class:`PatchMasking`.
        num_masked: As in :class:`PatchMasking`; 147 of 196 in the paper.
        num_blocked: Patches covered by blocks; the release's 120 of 147 masked ones by default.
        block_size: Smallest and largest block; the release's 16 and 60 of 196 by default.
        max_roll: Up to this many patches from inside the blocks become visible.

    Raises:
        ValueError: If the numbers contradict each other.
    """

    def __init__(
        self,
        grid: tuple[int, int],
        num_masked: int,
        num_blocked: int | None = None,
        block_size: tuple[int, int] | None = None,
        max_roll: int = 3,
    ) -> None:
        super().__init__(grid, num_masked)
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
