"""From numbers to colours, and pictures side by side with their names above them."""

from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont

GAP, MARGIN = 4, 8  # between and around the pictures of a sheet
FONT_SIZE, LINE = 13, 20
SMALLEST, LARGEST = 128, 256  # sides of a picture on a sheet


class Figure(NamedTuple):
    """Rows of pictures, each uint8 RGB ``(H, W, 3)``; a row for every image.

    ``name`` is for files, ``title`` for the reader; ``labels`` name the columns.
    """

    name: str
    title: str
    labels: tuple[str, ...]
    rows: list[tuple[np.ndarray, ...]]
    caption: str


def heat(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Colours from violet at ``low`` or less, by blue, teal and green, to yellow at ``high`` or
    more; uint8, with an axis of R, G, B added."""
    share = (np.clip(values, low, high) - low) / (high - low)
    return colormaps['viridis'](share, bytes=True)[..., :3]


def faded(pixels: np.ndarray) -> np.ndarray:
    """An image in pale grey, on which colours stand out; uint8 ``(..., 3)``."""
    grey = pixels.mean(axis=-1, keepdims=True)
    return (128 + grey / 2).astype(np.uint8).repeat(3, axis=-1)


def patches_to_pixels(
    colours_BN3: np.ndarray, grid: tuple[int, int], patch_size: int
) -> np.ndarray:
    """One colour for each patch, as pictures ``(B, H, W, 3)``."""
    cells_BHW3 = colours_BN3.reshape(len(colours_BN3), *grid, 3)
    return cells_BHW3.repeat(patch_size, axis=1).repeat(patch_size, axis=2)


def fit(pixels: np.ndarray, side: int) -> np.ndarray:
    """A picture made smaller, by averaging, so that no side is longer than ``side``."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def _cell(pixels: np.ndarray) -> np.ndarray:
    """A picture at a size to look at: small ones are enlarged by a whole factor."""
    factor = -(-SMALLEST // max(pixels.shape[:2]))
    return fit(pixels.repeat(factor, axis=0).repeat(factor, axis=1), LARGEST)


def sheet(figure: Figure) -> np.ndarray:
    """All pictures of a figure on white, the labels of the columns above and the caption below
    them, uint8 ``(H, W, 3)``."""
    rows = [[_cell(picture) for picture in row] for row in figure.rows]
    font = ImageFont.load_default(FONT_SIZE)
    widths = [
        max(max(cell.shape[1] for cell in column), round(font.getlength(label)))
        for column, label in zip(zip(*rows, strict=True), figure.labels, strict=True)
    ]
    heights = [max(cell.shape[0] for cell in row) for row in rows]
    lefts = np.cumsum([MARGIN] + [width + GAP for width in widths]).tolist()
    tops = np.cumsum([MARGIN + LINE] + [height + GAP for height in heights]).tolist()
    lines = _wrapped(figure.caption, font, lefts[-1] - GAP - MARGIN)
    canvas = Image.new(
        'RGB', (lefts[-1] - GAP + MARGIN, tops[-1] + LINE * len(lines) + MARGIN), 'white'
    )
    draw = ImageDraw.Draw(canvas)
    for left, label in zip(lefts, figure.labels, strict=False):
        draw.text((left, MARGIN), label, fill='black', font=font)
    for number, line in enumerate(lines):
        draw.text((MARGIN, tops[-1] + LINE * number), line, fill='black', font=font)
    for top, row in zip(tops, rows, strict=False):
        for left, cell in zip(lefts, row, strict=False):
            canvas.paste(Image.fromarray(cell), (left, top))
    return np.asarray(canvas)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Lines that are no wider than ``width`` pixels, unless a single word is."""
    lines = []
    for word in text.split():
        if lines and font.getlength(f'{lines[-1]} {word}') <= width:
            lines[-1] += f' {word}'
        else:
            lines.append(word)
    return lines
