"""Labelled regions on a picture: pale grey below, each region tinted and outlined in the colour of
its class, its name in the middle."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .painting import faded

# Far from each other, on pale grey too; after the twelfth class they come again.
COLOURS = (
    (230, 25, 75), (0, 120, 220), (30, 150, 60), (245, 120, 20), (145, 30, 180), (0, 170, 170),
    (240, 50, 230), (150, 90, 30), (90, 90, 220), (150, 150, 0), (210, 20, 20), (0, 100, 90),
)  # fmt: skip
NO_CLASS = 'background'  # is left as it is
TINT = 0.4  # of the colour within a region
SMALLEST = 256  # sides of a painted picture, below which names could not be read
LEAST_NAMED = 0.002  # share of the picture from which on a region is named
FONT_SIZE, LINE = 14, 2


class Region(NamedTuple):
    """A part of a picture, and what it is.

    Attributes:
        mask: bool ``(H, W)``.
        name: What is written on it.
        colour: R, G, B of 0 to 255.
    """

    mask: np.ndarray
    name: str
    colour: tuple[int, int, int]


def class_colours(metainfo: Mapping[str, Sequence]) -> list[tuple[int, int, int]]:
    """A colour for each of a data set's ``classes``: its ``palette``, or ours if it has none."""
    names, palette = metainfo['classes'], metainfo.get('palette')
    if palette is None or isinstance(palette, str):
        shown = [name for name in names if name != NO_CLASS]
        return [COLOURS[shown.index(n) % len(COLOURS)] if n in shown else (0, 0, 0) for n in names]
    return [tuple(int(value) for value in colour) for colour in palette]


def label_regions(labels: np.ndarray, metainfo: Mapping[str, Sequence]) -> list[Region]:
    """A region for each class but ``background`` in a map of labels ``(H, W)``; 255 is none."""
    names, colours = metainfo['classes'], class_colours(metainfo)
    present = [i for i in np.unique(labels) if i < len(names) and names[i] != NO_CLASS]
    return [Region(labels == i, names[i], colours[i]) for i in present]


def outlined(pixels: np.ndarray, regions: Sequence[Region]) -> np.ndarray:
    """A picture with its regions, uint8 RGB; small ones are enlarged by a whole factor first.

    Args:
        pixels: uint8 RGB ``(H, W, 3)``.
        regions: Of its size, the later ones above the earlier.
    """
    factor = -(-SMALLEST // max(pixels.shape[:2]))
    canvas = faded(_enlarged(pixels, factor))
    masks = [_enlarged(region.mask, factor) for region in regions]
    for mask, region in zip(masks, regions, strict=True):
        tinted = (1 - TINT) * canvas[mask] + TINT * np.array(region.colour)
        canvas[mask] = np.rint(tinted)
    for mask, region in zip(masks, regions, strict=True):
        found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        canvas = cv2.drawContours(canvas, found, -1, region.colour, LINE)
    return _named(canvas, masks, regions)


def _enlarged(values: np.ndarray, factor: int) -> np.ndarray:
    return np.ascontiguousarray(values.repeat(factor, axis=0).repeat(factor, axis=1))


def _named(
    canvas: np.ndarray, masks: Sequence[np.ndarray], regions: Sequence[Region]
) -> np.ndarray:
    image, font = Image.fromarray(canvas), ImageFont.load_default(FONT_SIZE)
    draw = ImageDraw.Draw(image)
    for mask, region in zip(masks, regions, strict=True):
        if mask.mean() >= LEAST_NAMED:
            width, (x, y) = font.getlength(region.name), _middle(mask)
            left = max(LINE, min(x - width / 2, image.width - width - LINE))
            place, white = (left, y - FONT_SIZE / 2), dict(stroke_width=LINE, stroke_fill='white')
            draw.text(place, region.name, fill=region.colour, font=font, **white)
    return np.asarray(image)


def _middle(mask: np.ndarray) -> tuple[int, int]:
    """The point (x, y) that is farthest from a region's edge."""
    inside = np.pad(mask, 1).astype(np.uint8)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(distance.argmax(), distance.shape)
    return int(x), int(y)
