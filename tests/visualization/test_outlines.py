"""Outlined regions: tint, outline, name, and what is left alone."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from bootmae_mm.visualization.outlines import (
    COLOURS,
    LINE,
    TINT,
    Region,
    class_colours,
    label_regions,
    outlined,
)
from bootmae_mm.visualization.predictions import box_masks, instance_regions

GREY = np.full((32, 32, 3), 100, np.uint8)  # enlarged eight times
PALE = 128 + 100 // 2
RED = (200, 0, 40)


def square(top: int, left: int, side: int) -> np.ndarray:
    mask = np.zeros((32, 32), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_a_region_is_tinted_and_outlined_and_the_rest_is_pale():
    shown = outlined(GREY, [Region(square(4, 8, 16), 'm', RED)]).astype(int)
    assert shown.shape == (256, 256, 3)
    tint = (1 - TINT) * PALE + TINT * np.array(RED)
    assert np.abs(shown[40:60, 72:180] - tint).max() <= 1  # above the name
    assert (np.abs(shown[90:100, 64:66] - RED).max(-1) <= 1).all()  # its left edge
    outside = np.ones((256, 256), bool)
    outside[32 - LINE : 160 + LINE, 64 - LINE : 192 + LINE] = False
    assert (shown[outside] == PALE).all()


def test_the_name_stands_in_the_middle_of_the_largest_part():
    two = square(0, 0, 4) | square(16, 16, 14)
    shown = outlined(GREY, [Region(two, 'mmm', RED)])
    tint = np.rint((1 - TINT) * PALE + TINT * np.array(RED))
    written = (np.abs(shown.astype(int) - tint).max(-1) > 2)[135:233, 135:233]
    y, x = np.nonzero(written)
    assert abs(y.mean() - 49) < 8 and abs(x.mean() - 49) < 8 and written.sum() > 50


def test_a_dot_has_no_name():
    """Less than a 500th of the picture: all that is painted is its tint and outline."""
    shown = outlined(GREY, [Region(square(16, 16, 1), 'name', RED)])
    changed = (shown != PALE).any(-1)
    assert 64 <= changed.sum() <= 144


def test_small_and_large_pictures():
    assert outlined(GREY[:16], []).shape == (128, 256, 3)
    assert outlined(np.zeros((300, 400, 3), np.uint8), []).shape == (300, 400, 3)


def test_the_background_is_no_region_and_255_no_class():
    labels = np.array([[0, 1], [2, 255]], np.uint8)
    metainfo = dict(classes=('background', 'cat', 'dog'))
    cat, dog = label_regions(labels, metainfo)
    assert (cat.name, dog.name, cat.colour, dog.colour) == ('cat', 'dog', *COLOURS[:2])
    assert cat.mask.tolist() == [[False, True], [False, False]]
    assert dog.mask.tolist() == [[False, False], [True, False]]


def test_colours_of_a_palette_and_of_none():
    metainfo = dict(classes=('cat', 'dog'), palette=[[1, 2, 3], [4, 5, 6]])
    assert class_colours(metainfo) == [(1, 2, 3), (4, 5, 6)]
    assert class_colours(dict(classes=('cat', 'dog'))) == list(COLOURS[:2])
    assert class_colours({**metainfo, 'palette': 'random'}) == list(COLOURS[:2])
    many = class_colours(dict(classes=[f'c{i}' for i in range(30)]))
    assert many[12] == many[0] and len({*many}) == 12


@pytest.mark.parametrize('with_masks', [True, False])
def test_instances_are_their_masks_or_their_boxes(with_masks):
    found = InstanceData(
        scores=torch.tensor([0.25, 0.5]),
        labels=torch.tensor([1, 0]),
        bboxes=torch.tensor([[1.0, 2.0, 3.0, 3.0], [0.0, 0.0, 1.6, 0.4]]),
    )
    if with_masks:
        found.masks = torch.rand(2, 4, 5) > 0.5
    one, two = instance_regions(found, (4, 5), dict(classes=('cat', 'dog')))
    assert (one.name, two.name) == ('dog 0.25', 'cat 0.50')
    assert (one.colour, two.colour) == (COLOURS[1], COLOURS[0])
    masks = found.masks.numpy() if with_masks else box_masks(found.bboxes, (4, 5))
    assert np.array_equal(np.stack([one.mask, two.mask]), masks)


def test_a_box_holds_the_pixels_whose_middle_is_in_it():
    [mask] = box_masks([[1.0, 2.0, 3.4, 3.6]], (5, 6))
    expected = [[1 <= x + 0.5 < 3.4 and 2 <= y + 0.5 < 3.6 for x in range(6)] for y in range(5)]
    assert mask.tolist() == expected and mask.sum() == 4
