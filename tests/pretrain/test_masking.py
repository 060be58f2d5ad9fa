"""Masks: exact counts, and distributions against plain loops and hand computations."""

import math
import random
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from bootmae_mm.pretrain import masking
from bootmae_mm.pretrain.masking import (
    BlockwiseMasking,
    RandomMasking,
    order_patches,
    place_blocks,
    rectangles,
    unpack_bits,
)

GRID, NUM_BLOCKED, BLOCK_SIZE = (14, 14), 120, (16, 60)  # the paper's and the release's
SIGMAS = 5  # how far a frequency may be from what is expected


def frequency_tolerance(p, draws: int):
    """``SIGMAS`` standard deviations of a frequency over ``draws`` independent draws."""
    return SIGMAS * np.sqrt(np.maximum(p * (1 - p), 1e-3) / draws)


def chi_square(counts, p: float, draws: int) -> float:
    """Sum of squared standardised deviations of counts that each are binomial (draws, p)."""
    return float(((np.asarray(counts) - draws * p) ** 2 / (draws * p * (1 - p))).sum())


def chi_square_limit(freedom: int) -> float:
    return freedom + SIGMAS * math.sqrt(2 * freedom)


def place_by_plain_loop(rng: random.Random, grid, wanted, smallest, largest) -> np.ndarray:
    """BEiT's blocks cell by cell, until exactly ``wanted`` patches are covered."""
    rows, columns = grid
    covered = set()
    while len(covered) < wanted:
        most = min(largest, wanted - len(covered))
        area = rng.uniform(smallest, most)
        aspect = math.exp(rng.uniform(math.log(0.3), -math.log(0.3)))
        height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if height >= rows or width >= columns:
            continue
        top, left = rng.randint(0, rows - height), rng.randint(0, columns - width)
        block = {(top + i, left + j) for i in range(height) for j in range(width)}
        if 0 < len(block - covered) <= most:
            covered |= block
    mask = np.zeros(grid, dtype=bool)
    for cell in covered:
        mask[cell] = True
    return mask


def place_given_candidates(candidates, grid, wanted, smallest, largest) -> np.ndarray:
    """The same cell by cell, from given draws of area, aspect, top and left."""
    rows, columns = grid
    mask = np.zeros(grid, dtype=bool)
    for u_area, u_aspect, u_top, u_left in candidates:
        most = min(largest, wanted - mask.sum())
        area = smallest + u_area * (most - smallest)
        aspect = 0.3 * (1 / 0.09) ** u_aspect
        height, width = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if 0 < height < rows and 0 < width < columns:
            top, left = (
                math.floor(u_top * (rows - height + 1)),
                math.floor(u_left * (columns - width + 1)),
            )
            block = np.zeros(grid, dtype=bool)
            for row in range(top, top + height):
                for column in range(left, left + width):
                    block[row, column] = True
            if 0 < (block & ~mask).sum() <= most:
                mask |= block
        if mask.sum() == wanted:
            break
    return mask


def count_edges(masks: np.ndarray) -> np.ndarray:
    """Pairs of neighbours of which one is masked, per mask: how ragged the blocks are."""
    return (masks[:, 1:] != masks[:, :-1]).sum((1, 2)) + (masks[:, :, 1:] != masks[:, :, :-1]).sum(
        (1, 2)
    )


@pytest.fixture(scope='module')
def block_masks() -> np.ndarray:
    """4000 of the paper's block masks."""
    rng = np.random.RandomState(0)
    return np.stack([place_blocks(rng, GRID, NUM_BLOCKED, BLOCK_SIZE) for _ in range(4000)])


class TestPlaceBlocks:
    def test_exactly_the_wanted_number_is_covered(self, block_masks):
        assert block_masks.dtype == bool
        assert set(block_masks.sum((1, 2))) == {NUM_BLOCKED}

    def test_every_cell_is_reached_and_the_map_is_symmetric(self, block_masks):
        p = block_masks.mean(0)
        assert p.min() > 0.05
        tolerance = frequency_tolerance(p, len(block_masks)) * math.sqrt(2)
        for other in (p[::-1], p[:, ::-1], p.T):
            assert (np.abs(p - other) < tolerance).all()
        assert p[6:8, 6:8].min() > 0.8 > 0.2 > p[[0, 0, -1, -1], [0, -1, 0, -1]].max()

    def test_the_distribution_is_that_of_a_plain_loop(self, block_masks):
        rng = random.Random(1)
        count = len(block_masks)
        expected = np.stack(
            [place_by_plain_loop(rng, GRID, NUM_BLOCKED, *BLOCK_SIZE) for _ in range(count)]
        )
        p = expected.mean(0)
        tolerance = frequency_tolerance(p, count) * math.sqrt(2)
        assert (np.abs(block_masks.mean(0) - p) < tolerance).all()
        edges, expected_edges = count_edges(block_masks), count_edges(expected)
        tolerance = SIGMAS * math.sqrt((edges.var() + expected_edges.var()) / count)
        assert abs(edges.mean() - expected_edges.mean()) < tolerance
        assert edges.std() == pytest.approx(expected_edges.std(), rel=0.1)

    def test_every_cell_of_a_grid_that_is_not_square_is_reached(self):
        rng = np.random.RandomState(0)
        p = np.mean([place_blocks(rng, (5, 9), 20, (3, 9)) for _ in range(3000)], 0)
        assert p.shape == (5, 9)
        assert p.min() > 0.1
        tolerance = frequency_tolerance(p, 3000) * math.sqrt(2)
        assert (np.abs(p - p[::-1]) < tolerance).all()
        assert (np.abs(p - p[:, ::-1]) < tolerance).all()

    @pytest.mark.parametrize(
        ('grid', 'wanted', 'block_size'),
        [(GRID, NUM_BLOCKED, BLOCK_SIZE), ((5, 9), 20, (3, 9)), ((28, 28), 480, (64, 240))],
    )
    def test_from_the_same_candidates_a_plain_loop_makes_the_same_mask(
        self, grid, wanted, block_size
    ):
        for seed in range(60):
            candidates = np.random.RandomState(seed).random_sample((2000, 4))
            expected = place_given_candidates(candidates, grid, wanted, *block_size)
            found = place_blocks(np.random.RandomState(seed), grid, wanted, block_size)
            assert found.sum() == wanted
            assert np.array_equal(found, expected)

    @pytest.mark.parametrize(
        ('draws', 'rows', 'columns'),
        [
            # area 16, height / width 0.3: 2.19 × 7.30
            ((0, 0, 0, 0), slice(0, 2), slice(0, 7)),
            # area 16, height / width 1 / 0.3, in the last row and column
            ((0, 1, 0.999, 0.999), slice(7, 14), slice(12, 14)),
            # area 38, square: 6.16 × 6.16; 9 places in each direction
            ((0.5, 0.5, 0.5, 0.999), slice(4, 10), slice(8, 14)),
            # area 55.6, height / width 0.3: 4.08 × 13.6, as wide as the grid: none
            ((0.9, 0, 0, 0), slice(0, 0), slice(0, 0)),
            # area 60, square: 7.75 × 7.75, rounded to 64 patches, more than the largest: none
            ((1, 0.5, 0, 0), slice(0, 0), slice(0, 0)),
        ],
    )
    def test_the_block_of_given_draws_is_the_one_computed_by_hand(self, draws, rows, columns):
        class Scripted:
            def random_sample(self, shape):
                return np.tile(draws, (shape[0], 1)).astype(float)

        expected = np.zeros(GRID, dtype=bool)
        expected[rows, columns] = True
        assert np.array_equal(place_blocks(Scripted(), GRID, NUM_BLOCKED, BLOCK_SIZE), expected)

    @pytest.mark.parametrize(
        'grid', [(1, 1), (1, 2), (1, 7), (7, 1), (2, 2), (2, 3), (3, 2), (4, 4)]
    )
    def test_it_returns_and_never_covers_too_many(self, grid):
        rng = np.random.RandomState(0)
        for wanted in range(grid[0] * grid[1] + 1):
            for block_size in [(1, 1), (1, 3), (3, 5), (1, 100), (50, 100)]:
                mask = place_blocks(rng, grid, wanted, block_size)
                assert mask.shape == grid
                assert mask.sum() <= wanted

    def test_the_whole_grid_can_be_asked_for(self):
        rng = np.random.RandomState(0)
        masks = [place_blocks(rng, GRID, 196, BLOCK_SIZE) for _ in range(20)]
        assert min(mask.sum() for mask in masks) >= 190

    def test_blocks_far_smaller_than_the_grid_take_many_attempts(self):
        mask = place_blocks(np.random.RandomState(0), (40, 40), 1200, (1, 2))
        assert mask.sum() == 1200

    def test_nothing_but_the_given_generator_is_used(self):
        np.random.seed(3)
        before = np.random.get_state()[1].copy()
        one, two = (
            place_blocks(np.random.RandomState(5), GRID, NUM_BLOCKED, BLOCK_SIZE) for _ in '12'
        )
        assert np.array_equal(one, two)
        assert np.array_equal(before, np.random.get_state()[1])


class TestBits:
    def test_a_rectangle_in_the_corner(self):
        for height, width in [(1, 1), (2, 4), (3, 1), (2, 5)]:
            expected = np.zeros((4, 6), dtype=bool)
            expected[:height, :width] = True
            found = unpack_bits(rectangles((4, 6))[height][width], 24)
            assert found.dtype == bool
            assert np.array_equal(found.reshape(4, 6), expected)

    @pytest.mark.parametrize('count', [1, 7, 8, 9, 196])
    def test_unpacking_begins_with_the_lowest_bit(self, count):
        number = int.from_bytes(np.random.default_rng(0).bytes(40), 'little') % 2**count
        assert unpack_bits(number, count).tolist() == [
            c == '1' for c in f'{number:0{count}b}'[::-1]
        ]


@pytest.fixture(scope='module')
def blocks() -> np.ndarray:
    return place_blocks(np.random.RandomState(1), GRID, NUM_BLOCKED, BLOCK_SIZE)


@pytest.fixture(scope='module')
def visible(blocks) -> np.ndarray:
    """Bool ``(8000, 196)``: the first 49 of 8000 orders of one block mask."""
    rng = np.random.RandomState(2)
    orders = np.stack([order_patches(rng, blocks, 3) for _ in range(8000)])
    assert (np.sort(orders, 1) == np.arange(196)).all()
    mask = np.zeros(orders.shape, dtype=bool)
    np.put_along_axis(mask, orders[:, :49], True, 1)
    return mask


class TestFillUp:
    """From 120 blocked patches to 147 masked and 49 visible ones."""

    def test_up_to_three_blocked_patches_are_visible_each_number_a_quarter(self, blocks, visible):
        rolls = Counter(visible[:, blocks.ravel()].sum(1).tolist())
        assert set(rolls) == {0, 1, 2, 3}
        for count in rolls.values():
            assert abs(count / len(visible) - 0.25) < frequency_tolerance(0.25, len(visible))

    def test_extra_patches_are_uniform_outside_the_blocks(self, blocks, visible):
        """Visible of the 76 outside: 49 − roll, on average 47.5."""
        counts = visible[:, ~blocks.ravel()].sum(0)
        assert chi_square(counts, 47.5 / 76, len(visible)) < chi_square_limit(75)

    def test_visible_blocked_patches_are_uniform_in_the_blocks(self, blocks, visible):
        counts = visible[:, blocks.ravel()].sum(0)
        assert chi_square(counts, 1.5 / 120, len(visible)) < chi_square_limit(119)

    def test_no_roll_hides_all_blocked_patches(self, blocks):
        rng = np.random.RandomState(0)
        for _ in range(20):
            order = order_patches(rng, blocks, 0)
            assert blocks.ravel()[order[:76]].sum() == 0
            assert blocks.ravel()[order[76:]].all()


def masks_of(transform, draws: int) -> np.ndarray:
    """Bool ``(draws, N)``, True = masked, after checking that the ids are a permutation."""
    mask = np.zeros((draws, transform.num_patches), dtype=bool)
    for row in mask:
        results = transform(dict())
        ids = np.concatenate([results['ids_visible'], results['ids_masked']])
        assert ids.dtype == np.int64
        assert np.array_equal(np.sort(ids), np.arange(transform.num_patches))
        row[results['ids_masked']] = True
    return mask


@pytest.mark.parametrize('kind', [BlockwiseMasking, RandomMasking])
class TestTransforms:
    @pytest.mark.parametrize('grid', [(14, 14), (3, 5)])
    def test_every_count_is_exact(self, kind, grid):
        for num_masked in range(1, grid[0] * grid[1]):
            assert (masks_of(kind(grid, num_masked), 3).sum(1) == num_masked).all()

    @pytest.mark.parametrize('grid', [(1, 7), (7, 1), (2, 2), (2, 3)])
    def test_tiny_grids(self, kind, grid):
        for num_masked in range(1, grid[0] * grid[1]):
            mask = masks_of(kind(grid, num_masked), 100)
            assert (mask.sum(1) == num_masked).all()
            assert mask.any(0).all(), 'every patch is masked at times'
            assert not mask.all(0).any(), 'and visible at times'

    def test_a_number_is_a_square_grid(self, kind):
        np.random.seed(1)
        one = kind(4, 10)(dict())
        np.random.seed(1)
        two = kind((4, 4), 10)(dict())
        assert np.array_equal(one['ids_visible'], two['ids_visible'])
        assert np.array_equal(one['ids_masked'], two['ids_masked'])

    @pytest.mark.parametrize('num_masks', [2, 5])
    def test_several_masks_are_drawn_one_after_the_other(self, kind, num_masks):
        """As single ones from the same stream: whole, valid and independent."""
        np.random.seed(2)
        several = kind(14, 147, num_masks=num_masks)(dict())
        assert several['ids_visible'].shape == (num_masks, 49)
        assert several['ids_masked'].shape == (num_masks, 147)
        assert several['ids_masked'].dtype == several['ids_visible'].dtype == np.int64
        np.random.seed(2)
        for visible, masked in zip(several['ids_visible'], several['ids_masked'], strict=True):
            single = kind(14, 147)(dict())
            assert single['ids_visible'].shape == (49,)
            assert np.array_equal(visible, single['ids_visible'])
            assert np.array_equal(masked, single['ids_masked'])
        assert not np.array_equal(*np.sort(several['ids_masked'])[:2])

    def test_no_mask_at_all_is_refused(self, kind):
        with pytest.raises(ValueError, match='at least one mask, found num_masks=0'):
            kind(4, 10, num_masks=0)

    @pytest.mark.parametrize(('grid', 'num_masked'), [(4, 0), (4, 16), (4, -1), ((1, 1), 1)])
    def test_a_mask_of_nothing_or_of_everything_is_refused(self, kind, grid, num_masked):
        with pytest.raises(ValueError, match=rf'at least 1 and at most .*num_masked={num_masked};'):
            kind(grid, num_masked)


class TestBlockwiseMasking:
    @pytest.fixture
    def recorded(self, monkeypatch) -> list:
        """The block masks that were placed."""
        placed = []

        def record(*args):
            placed.append(place_blocks(*args))
            return placed[-1]

        monkeypatch.setattr(masking, 'place_blocks', record)
        return placed

    def test_defaults_scale_with_the_grid(self):
        transform = BlockwiseMasking(28, 588)  # four times the patches
        assert transform.num_blocked == 480
        assert transform.block_size == (64, 240)
        assert BlockwiseMasking(2, 3).block_size == (1, 1)

    def test_the_blocks_are_masked_but_for_the_roll(self, recorded):
        mask = masks_of(BlockwiseMasking(14, 147), 400)
        blocks = np.stack(recorded).reshape(400, 196)
        assert (blocks.sum(1) == NUM_BLOCKED).all()
        assert set((blocks & ~mask).sum(1)) == {0, 1, 2, 3}
        assert (mask.sum(1) == 147).all()

    def test_a_share_of_the_masked_patches_is_a_random_one(self, recorded):
        """Table 5: the teacher takes the first 49 (25 %) of 147; 120 − roll are blocked."""
        transform = BlockwiseMasking(14, 147)
        draws = 1500
        blocked = []
        for _ in range(draws):
            first = transform(dict())['ids_masked'][:49]
            blocked.append(recorded[-1].ravel()[first])
        p = 118.5 / 147
        by_position = np.mean(blocked, 0)
        assert (np.abs(by_position - p) < frequency_tolerance(p, draws)).all()

    def test_blocks_hide_larger_areas_than_random_masks(self):
        blockwise = masks_of(BlockwiseMasking(14, 147), 200).reshape(-1, 14, 14)
        at_random = masks_of(RandomMasking(14, 147), 200).reshape(-1, 14, 14)
        assert count_edges(blockwise).mean() < 0.8 * count_edges(at_random).mean()

    @pytest.mark.parametrize(
        'arguments',
        [
            dict(num_blocked=17),
            dict(num_blocked=-1),
            dict(block_size=(0, 3)),
            dict(block_size=(5, 4)),
        ],
    )
    def test_blocks_that_cannot_be_are_refused(self, arguments):
        with pytest.raises(ValueError, match=r'at most the 16 patches .*num_blocked=.*block_'):
            BlockwiseMasking(4, 12, **arguments)

    @pytest.mark.parametrize('max_roll', [-1, 16])
    def test_a_roll_that_cannot_be_is_refused(self, max_roll):
        with pytest.raises(ValueError, match=f'max_roll must be .* 16 patches, found {max_roll}'):
            BlockwiseMasking(4, 12, max_roll=max_roll)


class TestRandomMasking:
    def test_every_subset_is_equally_frequent(self):
        draws, subsets = 6000, list(combinations(range(6), 2))
        transform = RandomMasking((2, 3), 2)
        seen = Counter(tuple(sorted(transform(dict())['ids_masked'])) for _ in range(draws))
        counts = [seen[subset] for subset in subsets]
        assert sum(counts) == draws
        assert chi_square(counts, 1 / 15, draws) < chi_square_limit(14)

    def test_every_patch_is_masked_in_three_quarters_of_the_masks(self):
        draws = 2000
        mask = masks_of(RandomMasking(14, 147), draws)
        assert chi_square(mask.sum(0), 0.75, draws) < chi_square_limit(195)
