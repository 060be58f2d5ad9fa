"""What lies in a folder of pictures, by their names and a sample of them."""

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..data.files import Listing, list_images
from ..data.reading import UnreadableImage, upright_size
from ..preflight.data.files import evenly_spaced

SAMPLE = 200  # pictures whose size is looked at


class Pictures(NamedTuple):
    """A folder of pictures.

    Attributes:
        folder: Its absolute path.
        count: Number of pictures in it and below it.
        median_size: ``(height, width)`` of a sample, each the median.
        others: What is left out and why, a sentence each.
    """

    folder: Path
    count: int
    median_size: tuple[int, int]
    others: list[str]

    @property
    def short_side(self) -> int:
        """Of the median picture."""
        return min(self.median_size)


def look_at(folder: str | Path) -> Pictures:
    """Count the pictures of a folder and look at the size of some.

    Raises:
        ValueError: If there is no such folder, no picture in it, or none that can be read.
    """
    folder = Path(folder).expanduser().absolute()
    listing = list_pictures(folder)
    heights, widths = zip(*picture_sizes(folder, listing.images), strict=True)
    median = int(statistics.median(heights)), int(statistics.median(widths))
    return Pictures(folder, len(listing.images), median, list(listing.left_out()))


def list_pictures(folder: Path) -> Listing:
    """The pictures in a folder and below it, and what else is there.

    Raises:
        ValueError: If there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise ValueError(f'Expected a folder of pictures, found none at {str(folder)!r}.')
    listing = list_images(folder)
    if not listing.images:
        raise ValueError(
            f'Expected pictures in {str(folder)!r} or below, found none among its '
            f'{len(listing.others):,} files; name the folder that holds them.'
        )
    return listing


def picture_sizes(folder: Path, names: list[str]) -> list[tuple[int, int]]:
    """``(height, width)`` of a sample of pictures, as they are seen.

    Raises:
        ValueError: If none of them can be read.
    """
    sampled = evenly_spaced(names, SAMPLE)
    found = list(_sizes(folder / name for name in sampled))
    if not found:
        raise ValueError(
            f'Expected pictures in {str(folder)!r}, found none among {len(sampled)} files looked '
            'at that can be read; copy or unpack them again.'
        )
    return found


def _sizes(paths: Iterator[Path]) -> Iterator[tuple[int, int]]:
    for path in paths:
        try:
            width, height = upright_size(path)
        except UnreadableImage:
            continue  # the doctor, who looks at more of them, tells
        yield height, width
