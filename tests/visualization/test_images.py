"""Which images and masks are drawn, against plain loops."""

import numpy as np
import pytest
import torch
from PIL import Image

from bootmae_mm.pretrain.masking import BlockwiseMasking, RandomMasking
from bootmae_mm.visualization import images, masks, painting
from bootmae_mm.visualization.drawing import drawn_pictures
from tests.helpers.images import some_pixels, write_images
from tests.helpers.models import build_tiny
from tests.helpers.paths import ROOT

# ---------------------------------------------------------------------------------------- masks


def test_masked_patches_are_grey_and_the_others_untouched():
    """4 × 2 patches of 3 × 5 pixels."""
    pixels = some_pixels(2, 12)[:, :, :10]
    ids = torch.tensor([[0, 3], [7, 2]])
    hidden = masks.hide_patches(pixels, ids, (4, 2))
    for b in range(2):
        for y in range(12):
            for x in range(10):
                masked = y // 3 * 2 + x // 5 in ids[b].tolist()
                expected = [127] * 3 if masked else pixels[b, y, x].tolist()
                assert hidden[b, y, x].tolist() == expected


def test_masks_depend_on_the_seed_and_the_image_alone():
    masking = BlockwiseMasking(8, 43)
    visible, masked = masks.draw_ids(masking, 3, seed=5)
    assert (visible.shape, masked.shape) == ((3, 21), (3, 43))
    everything = torch.cat([visible, masked], 1).sort(1).values
    assert torch.equal(everything, torch.arange(64).expand(3, -1))
    np.random.seed(1)
    for other, same in zip(masks.draw_ids(masking, 2, seed=5), (visible, masked), strict=True):
        assert torch.equal(other, same[:2])
    assert not torch.equal(visible[0].sort().values, visible[1].sort().values)
    assert not torch.equal(masks.draw_ids(masking, 3, seed=6)[1], masked)


def test_the_mask_figure_shows_both_strategies():
    shown = [images.Picture('a', some_pixels(1, 70)[0]), images.Picture('b', some_pixels(1)[0])]
    figure = masks.mask_figure(shown, grid=14, num_masked=147, patch_size=4, seed=0)
    assert figure.labels == ('original', 'random mask', 'block-wise mask')
    runs = {}
    for strategy in (1, 2):
        hidden = np.stack([row[strategy] for row in figure.rows])
        grey = (hidden == 127).all(-1).reshape(2, 14, 4, 14, 4).all((2, 4))
        assert grey.sum((1, 2)).tolist() == [147, 147]
        whole = np.pad(grey, ((0, 0), (1, 1), (1, 1)))
        beside = [np.roll(whole, s, a)[:, 1:-1, 1:-1] for s in (1, -1) for a in (1, 2)]
        runs[strategy] = (grey & np.logical_and.reduce(beside)).sum()
    assert runs[2] > 1.3 * runs[1]  # patches with no visible neighbour
    assert '147 of 14 by 14' in figure.caption


def test_a_pipeline_without_masks_is_an_error():
    masking = RandomMasking(4, 12)
    assert masks.find_masking([object(), masking]) is masking
    with pytest.raises(ValueError, match='found no masking transform'):
        masks.find_masking([object()])


def test_the_committed_figure_is_drawn_by_this_code():
    """Below the line of labels, whose letters depend on Pillow's font."""
    figure = masks.mask_figure(drawn_pictures(3, 14 * 10), 14, 147, 10, seed=0)
    drawn = painting.sheet(figure)
    stored = np.asarray(Image.open(ROOT / 'docs/figures/masks.png').convert('RGB'))
    top = painting.MARGIN + painting.LINE
    rows = slice(top, top + 3 * (140 + painting.GAP))
    assert np.array_equal(stored[rows], drawn[rows])


# --------------------------------------------------------------------------------------- images


def test_files_and_folders_are_found(tmp_path):
    folder = write_images(tmp_path / 'many', 3)
    single = write_images(tmp_path / 'one', 1) / '000.png'
    names = ['000.png', '001.png', '002.png']
    expected = [str(single), *(str(folder / name) for name in names)]
    assert images.find_files([str(single), str(folder)]) == expected
    with pytest.raises(ValueError, match="found nothing at 'no/such'"):
        images.find_files([str(single), 'no/such'])


def test_images_are_taken_evenly_and_damaged_ones_replaced_by_the_next(tmp_path):
    folder = write_images(tmp_path / 'images', 10)
    files = images.find_files([str(folder)])

    def taken(count):
        shown = images.read_evenly(files.__getitem__, len(files), count)
        return [files.index(picture.path) for picture in shown]

    assert taken(2) == [0, 5] and taken(5) == [0, 2, 4, 6, 8] and taken(20) == [*range(10)]
    (folder / '005.png').write_bytes(b'no image')
    assert taken(2) == [0, 6]
    assert taken(10) == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    for file in folder.iterdir():
        file.write_bytes(b'no image')
    with pytest.raises(ValueError, match='readable images among 10 files, found none .*009.png'):
        taken(10)


@pytest.mark.parametrize('size', [(60, 100), (100, 60), (48, 48)])
def test_the_middle_of_an_image_is_shown(size):
    """The distances to the middle, of a gradient, are the same on both sides."""
    y, x = np.mgrid[: size[0], : size[1]]
    pixels = np.stack([2 * y, 2 * x, 0 * x], -1).astype(np.uint8)
    crop = images.centre_crop(pixels, (24, 24)).astype(float)
    side = min(size)
    for axis, colour in ((0, 0), (1, 1)):
        line = crop[..., colour].mean(axis=1 - axis)
        middle = 2 * (size[axis] - 1) / 2
        positions = middle + 2 * side / 24 * (np.arange(24) - 11.5)
        np.testing.assert_allclose(line[2:-2], positions[2:-2], atol=1.5)


def test_pictures_are_normalised_as_batches_are():
    """The preprocessor gets B, G, R, as the pipelines pack it."""
    preprocessor = dict(
        type='SelfSupDataPreprocessor', mean=[10, 20, 30], std=[1, 2, 4], to_rgb=True
    )
    pixels = some_pixels()
    out = images.normalise(build_tiny(data_preprocessor=preprocessor), pixels)
    expected = (pixels.astype(np.float32) - (10, 20, 30)) / (1, 2, 4)
    np.testing.assert_allclose(out.permute(0, 2, 3, 1).numpy(), expected, rtol=1e-6)
