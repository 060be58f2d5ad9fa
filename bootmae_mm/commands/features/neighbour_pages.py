"""``python -m bootmae_mm neighbours``: a page with pictures and those most like them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...data.loading import LoadAnyImage
from ...preflight.data.files import evenly_spaced
from ...reports.html import Report
from ...visualization.images import centre_crop
from ..tools import Say
from .disk import writing
from .embedded_features import Features, read_features
from .similar import most_similar, unit

ROWS = 12  # pictures whose neighbours are shown, if none is named
WIDTH = 80  # of a picture in pixels, of which nine fit side by side
EXPLANATION = (
    'Each row begins with a picture; then come those nearest to it, the middle of each as the '
    'encoder sees it, with the cosine of their features: 1 is the same, 0 nothing in common.'
)


class Neighbour(NamedTuple):
    """A picture that is like another one.

    Attributes:
        file: Relative to the folder.
        similarity: Cosine of their features, from -1 to 1.
    """

    file: str
    similarity: float


class Page(NamedTuple):
    """A page of neighbours.

    Attributes:
        file: The HTML file.
        neighbours: Of each picture shown, the nearest first.
    """

    file: Path
    neighbours: dict[str, list[Neighbour]]


def neighbours(
    features: str | Path,
    *,
    picture: Sequence[str | Path] = (),
    count: int = 8,
    out: str | Path = 'neighbours.html',
    kind: str | None = None,
    pictures: str | Path | None = None,
    say: Say | None = None,
) -> Page:
    """Write a page with pictures and the nearest to each, by the cosine of their features.

    Args:
        features: What ``embed`` wrote.
        picture: Pictures to show, by their path or as they are called in ``features``; 12 at equal
            distances if none is named.
        count: Neighbours of each, if there are so many.
        out: The page to write, which needs no other file.
        kind: Of features, see :func:`.embedded_features.read_features`.
        pictures: The folder of the pictures, if it is not where it was.
        say: Told what is going on, a line at a time.

    Raises:
        ValueError: If there are no such features, a picture is not among them, or cannot be read.
    """
    found, out = read_features(features, kind), Path(out).expanduser()
    folder = folder_of(found, pictures)
    shown = nearest_to(found, places(found, folder, picture), count)
    page = Report(f'Pictures that are alike, by {Path(features).name}')
    page.paragraph(EXPLANATION)
    for name, alike in shown.items():
        add_row(page, folder, name, alike, thumbnail_size(found))
    with writing(out):
        page.save(out)
    if say is not None:
        say(f'{out}: {len(shown)} of {len(found.files):,} pictures, with the nearest')
    return Page(out, shown)


def nearest_to(features: Features, asked: Sequence[int], count: int) -> dict[str, list[Neighbour]]:
    """The nearest of some pictures, by name.

    Raises:
        ValueError: If there is only one picture, or no neighbour is asked for.
    """
    files = features.files
    if count < 1 or len(files) < 2:
        raise ValueError(
            f'Expected two pictures and a --count from 1 up, found {len(files)} and {count}.'
        )
    alike = most_similar(unit(features), asked, min(count, len(files) - 1))
    return {
        files[index]: [Neighbour(files[i], similarity) for i, similarity in row]
        for index, row in zip(asked, alike, strict=True)
    }


def folder_of(features: Features, pictures: str | Path | None) -> Path:
    """Where the pictures are.

    Raises:
        ValueError: If it is not known, or not there.
    """
    folder = pictures or features.notes.get('folder')
    if folder is None or not Path(folder).expanduser().is_dir():
        raise ValueError(
            f'Expected the folder of the pictures, found none at {str(folder)!r}; name it with '
            '--pictures.'
        )
    return Path(folder).expanduser().absolute()


def places(features: Features, folder: Path, pictures: Sequence[str | Path]) -> list[int]:
    """Where some pictures are among the features; if none is named, 12 at equal distances.

    Raises:
        ValueError: If one is not there.
    """
    if not pictures:
        return evenly_spaced(range(len(features.files)), ROWS)
    known = {name: place for place, name in enumerate(features.files)}
    return [known[name_of(picture, folder, known)] for picture in pictures]


def name_of(picture: str | Path, folder: Path, known: dict[str, int]) -> str:
    """What a picture is called among the features: as it is named, or by its path."""
    path = Path(picture).expanduser().absolute()
    names = [str(picture), *([str(path.relative_to(folder))] if folder in path.parents else [])]
    found = [name for name in names if name in known]
    if not found:
        raise ValueError(
            f'Expected one of the {len(known):,} pictures of {str(folder)!r} that have features, '
            f'found {str(picture)!r}; correct its name, or embed it too.'
        )
    return found[0]


def thumbnail_size(features: Features) -> tuple[int, int]:
    """Height and width of pictures on the page, in the shape of the encoder's input."""
    height, width = features.notes.get('size', (1, 1))
    return max(1, round(WIDTH * height / width)), WIDTH


def add_row(
    page: Report, folder: Path, name: str, alike: list[Neighbour], size: tuple[int, int]
) -> None:
    """Add a picture and its neighbours to the page."""
    labels = [name, *(f'{near.similarity:.3f} {near.file}' for near in alike)]
    files = [name, *(near.file for near in alike)]
    pictures = [thumbnail(folder / file, size) for file in files]
    page.image_grid([pictures], labels, f'The pictures nearest to {name}.', scale=1)


def thumbnail(path: Path, size: tuple[int, int]) -> np.ndarray:
    """The middle of a picture, small: uint8 RGB ``(*size, 3)``.

    Raises:
        ValueError: If it cannot be read.
    """
    bgr_HW3 = LoadAnyImage().transform(dict(img_path=str(path)))['img']
    return np.ascontiguousarray(centre_crop(bgr_HW3, size)[..., ::-1])
