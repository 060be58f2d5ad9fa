"""Crops beside mmpretrain's: the same boxes, and pixels within the tolerance of resampling."""

import math

import numpy as np
import pytest
from mmpretrain.datasets.transforms import PackInputs, RandomFlip, RandomResizedCrop
from PIL import Image

from bootmae_mm.data import cropping
from bootmae_mm.data.cropping import RandomCropFlip, crop_flip, draw_box, middle_box
from bootmae_mm.data.loading import LoadAnyImage

AREAS, ASPECTS = (0.2, 1.0), (3 / 4, 4 / 3)


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Colours at several scales, with edges and grain."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width, 3))
    for cells in (3, 9, 27):
        small = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        image += np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)) / 3
    image[height // 4 : height // 2, width // 3 :] = rng.integers(0, 256, 3)
    return (image + rng.normal(0, 12, image.shape)).clip(0, 255).astype(np.uint8)


def by_mmpretrain(image: np.ndarray, box, size, flip: bool) -> np.ndarray:
    """mmpretrain's crop and flip of a given box."""
    crop = RandomResizedCrop(size, backend='pillow', interpolation='bicubic')
    crop.rand_crop_params = lambda image: box
    return RandomFlip(float(flip))(crop(dict(img=image)))['img']


class TestPixels:
    @pytest.mark.parametrize('flip', [False, True])
    @pytest.mark.parametrize(
        ('shape', 'box', 'size'),
        [
            ((375, 500), (0, 0, 375, 500), (224, 224)),  # the whole image
            ((375, 500), (31, 77, 290, 333), (224, 224)),
            ((375, 500), (200, 300, 175, 200), (224, 224)),  # a corner, enlarged
            ((1500, 2000), (100, 200, 1300, 1700), (224, 224)),
            ((90, 80), (5, 6, 70, 60), (48, 96)),
            ((7, 9), (2, 3, 1, 1), (32, 32)),
            ((40, 36), (3, 4, 30, 28), (32, 32)),
        ],
    )
    def test_they_are_mmpretrain_s_within_two_grey_levels(self, shape, box, size, flip):
        image = photograph(*shape)
        found = crop_flip(image, box, size, flip)
        difference = np.abs(found.astype(int) - by_mmpretrain(image, box, size, flip))
        assert found.shape == (*size, 3)
        assert difference.max() <= 2
        assert difference.mean() < 0.02

    @pytest.mark.parametrize('flip', [False, True])
    def test_rgb_seen_as_bgr_gives_the_same_as_a_copy(self, flip):
        image = photograph(60, 50)[:, :, ::-1]
        found = crop_flip(image, (3, 4, 40, 41), (32, 32), flip)
        assert np.array_equal(found, crop_flip(image.copy(), (3, 4, 40, 41), (32, 32), flip))

    def test_a_flip_is_the_mirror_image(self):
        image = photograph(60, 50)
        plain, flipped = (crop_flip(image, (3, 4, 40, 41), (32, 24), f) for f in (False, True))
        assert np.array_equal(flipped, plain[:, ::-1])

    def test_the_image_is_left_as_it_was(self):
        image = photograph(40, 40)
        before = image.copy()
        crop_flip(image, (0, 0, 40, 40), (40, 40), False)[:] = 0
        assert np.array_equal(image, before)


class Scripted:
    """Gives the numbers it was given."""

    def __init__(self, draws):
        self.draws = np.array(draws)

    def random_sample(self, shape):
        assert shape == self.draws.shape
        return self.draws


class TestBoxes:
    @pytest.mark.parametrize('size', [(375, 500), (500, 375), (100, 200)])
    def test_the_first_candidate_that_fits_is_taken(self, size):
        """Against a plain loop over the same numbers."""
        rng = np.random.default_rng(0)
        rows, columns = size
        later = 0
        for _ in range(200):
            draws = rng.random((10, 4))
            for attempt, (share, aspect, down, right) in enumerate(draws):
                area = rows * columns * (0.2 + 0.8 * share)
                ratio = (3 / 4) * (16 / 9) ** aspect
                width, height = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
                if width <= columns and height <= rows:
                    tops, lefts = range(rows - height + 1), range(columns - width + 1)
                    expected = (
                        tops[math.floor(down * len(tops))],
                        lefts[math.floor(right * len(lefts))],
                        height,
                        width,
                    )
                    later += attempt > 0
                    break
            else:
                expected = middle_box(size, ASPECTS)
            assert draw_box(Scripted(draws), size, AREAS, ASPECTS) == expected
        assert later > 20

    def test_the_distribution_is_mmpretrain_s(self):
        count, size = 6000, (375, 500)
        rng = np.random.RandomState(0)
        found = np.array([draw_box(rng, size, AREAS, ASPECTS) for _ in range(count)])
        crop = RandomResizedCrop(224, crop_ratio_range=AREAS)
        image = np.zeros((*size, 3), np.uint8)
        expected = np.array([crop.rand_crop_params(image) for _ in range(count)])
        for one, two in zip(found.T, expected.T, strict=True):
            edges = np.quantile(two, np.linspace(0, 1, 9)[1:-1])
            for edge in edges:
                p = (two <= edge).mean()
                tolerance = 5 * math.sqrt(2 * p * (1 - p) / count)
                assert abs((one <= edge).mean() - p) < tolerance
        assert (found[:, 0] + found[:, 2]).max() == 375, 'the last row is reached'
        assert (found[:, 1] + found[:, 3]).max() == 500, 'and the last column'

    @pytest.mark.parametrize('size', [(20, 1000), (1000, 20), (1, 1), (1, 9), (9, 1), (10, 10)])
    def test_where_nothing_fits_it_is_mmpretrain_s_middle(self, size):
        crop = RandomResizedCrop(224, max_attempts=0)
        expected = crop.rand_crop_params(np.zeros((*size, 3), np.uint8))
        assert middle_box(size, ASPECTS) == expected
        too_large = np.full((10, 4), [0.999, 0.999, 0, 0])
        if size in [(20, 1000), (1000, 20)]:
            assert draw_box(Scripted(too_large), size, AREAS, ASPECTS) == expected

    def test_a_box_that_fits_is_the_same_without_redrawing_and_one_that_does_not_is_cut(self):
        """Against the rule of MAE's linear probe on the first draw alone."""
        rng, (rows, columns) = np.random.default_rng(0), (375, 500)
        cut = 0
        for _ in range(500):
            draws = rng.random((10, 4))
            share, aspect, down, right = draws[0]
            area, ratio = rows * columns * (0.08 + 0.92 * share), (3 / 4) * (16 / 9) ** aspect
            width, height = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
            cut += width > columns or height > rows
            width, height = min(width, columns), min(height, rows)
            place = (
                math.floor(down * (rows - height + 1)),
                math.floor(right * (columns - width + 1)),
            )
            found = draw_box(Scripted(draws), (rows, columns), (0.08, 1), ASPECTS, redraw=False)
            assert found == (*place, height, width)
        # Too high where share > 3/4 · ratio, whose mean is (4/3 − 3/4) / ln(16/9): 26 % of draws.
        assert cut / 500 == pytest.approx((1 - 0.75 * (7 / 12) / math.log(16 / 9)) / 0.92, abs=0.07)

    @pytest.mark.parametrize('redraw', [True, False])
    def test_every_box_lies_in_the_image(self, redraw):
        rng = np.random.RandomState(0)
        for size in [(1, 1), (1, 50), (50, 1), (2, 3), (31, 57)]:
            for _ in range(200):
                top, left, height, width = draw_box(rng, size, (0.01, 1.0), (0.1, 10), redraw)
                assert 0 < height <= size[0] - top
                assert 0 < width <= size[1] - left
                assert min(top, left) >= 0


class TestTransform:
    def test_it_uses_its_own_numbers(self, monkeypatch):
        calls = []

        def record(*args):
            calls.append(args)
            return 1, 2, 30, 40

        monkeypatch.setattr(cropping, 'draw_box', record)
        image = photograph(50, 60)
        transform = RandomCropFlip((16, 24), (0.3, 0.9), (0.5, 2), flip_prob=1, redraw=False)
        results = transform(dict(img=image))
        assert calls == [(np.random, (50, 60), (0.3, 0.9), (0.5, 2), False)]
        assert np.array_equal(results['img'], crop_flip(image, (1, 2, 30, 40), (16, 24), True))
        assert results['img_shape'] == (16, 24)
        assert results['flip'] is True

    @pytest.mark.parametrize('probability', [0, 0.3, 1])
    def test_flips_come_with_their_probability(self, probability):
        transform = RandomCropFlip(4, flip_prob=probability)
        image = photograph(9, 9)
        flips = [transform(dict(img=image))['flip'] for _ in range(1000)]
        tolerance = 5 * math.sqrt(probability * (1 - probability) / 1000)
        assert abs(np.mean(flips) - probability) <= tolerance

    @pytest.mark.parametrize('extension', ['jpg', 'png'])
    @pytest.mark.parametrize('flip', [0, 1])
    def test_packing_copies_nothing(self, tmp_path, extension, flip):
        path = tmp_path / f'a.{extension}'
        Image.fromarray(photograph(50, 60)).save(path)
        results = RandomCropFlip(32, flip_prob=flip)(LoadAnyImage()(dict(img_path=str(path))))
        packed = PackInputs()(results)['inputs']
        assert packed.shape == (3, 32, 32)
        assert packed.is_contiguous()
        assert np.shares_memory(packed.numpy(), results['img'])
        assert np.array_equal(packed.numpy(), results['img'].transpose(2, 0, 1))

    @pytest.mark.parametrize(
        'arguments',
        [
            dict(crop_ratio_range=(0.5, 0.2)),
            dict(crop_ratio_range=(0, 1)),
            dict(crop_ratio_range=(0.2, 1.1)),
            dict(aspect_ratio_range=(2, 0.5)),
        ],
    )
    def test_ranges_that_cannot_be_are_refused(self, arguments):
        with pytest.raises(ValueError, match=r'crop_ratio_range=.* and aspect_ratio_range='):
            RandomCropFlip(32, **arguments)

    @pytest.mark.parametrize('probability', [-0.1, 1.1])
    def test_a_probability_that_cannot_be_is_refused(self, probability):
        with pytest.raises(ValueError, match=f'from 0 to 1, found {probability}'):
            RandomCropFlip(32, flip_prob=probability)
