"""Figures as PNG files and as one HTML page."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..reports.html import Report
from .painting import GAP, Figure, fit, sheet

PAGE_WIDTH = 760  # pixels that a row of the page has
SMALLEST = 96  # side of a picture, below which a row is rather scrolled


def save_figures(
    figures: Sequence[Figure],
    sources: Sequence[str],
    folder: str | Path,
    title: str,
    paragraphs: Sequence[str],
) -> Path:
    """Write figures to a folder.

    ``<figure>.png`` shows all of a figure, ``<figure>/<number>_<image>_<what>.png`` is each picture
    at its own size, ``pictures.html`` a page that needs no other file.

    Args:
        figures: The figures to write, each with a row for every image.
        sources: Path of every image.
        folder: Folder to write to, made if missing; files of these names are replaced.
        title: Title of the page.
        paragraphs: Text at the top of the page.

    Returns:
        The page's path.
    """
    folder = Path(folder)
    page = Report(title)
    for text in paragraphs:
        page.paragraph(text)
    for figure in figures:
        _save_png(sheet(figure), folder / f'{figure.name}.png')
        for number, (source, row) in enumerate(zip(sources, figure.rows, strict=True), start=1):
            stem = f'{number:02}_{slug(Path(source).stem)}'
            for label, picture in zip(figure.labels, row, strict=True):
                _save_png(picture, folder / figure.name / f'{stem}_{slug(label)}.png')
        if len(figures) > 1:  # else the page's title is heading enough
            page.heading(figure.title)
        _add_rows(page, figure)
    path = folder / 'pictures.html'
    page.save(path)
    return path


def slug(text: str) -> str:
    """Text for a file name: letters, digits and underscores."""
    return re.sub(r'\W+', '_', text).strip('_')


def _save_png(picture: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, optimize=True)


def _add_rows(page: Report, figure: Figure) -> None:
    """A figure on the page, its pictures small enough for a row."""
    side = max(SMALLEST, PAGE_WIDTH // len(figure.labels) - GAP)
    rows = [[fit(picture, side) for picture in row] for row in figure.rows]
    page.image_grid(rows, figure.labels, figure.caption)
