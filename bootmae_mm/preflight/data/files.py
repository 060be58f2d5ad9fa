"""What the checks of data on disk share: findings, listing, sampling, decoding."""

import math
import os
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from ...data.files import Listing, some
from ...data.reading import FEW_BITS, UnreadableImage, read_with_pillow

FEW = 10  # files that every run does without (ImageReportHook)


class Finding(NamedTuple):
    """One thing that a check says.

    ``level``: ``'note'`` (what is going on), ``'ok'``, ``'warning'`` (worth a look, may be meant)
    or ``'error'`` (training would fail or go wrong). ``sentence``: one sentence.
    """

    level: str
    sentence: str


def evenly_spaced(items: Sequence, count: int) -> list:
    """At most ``count`` of the items, from the first on, at equal distances."""
    count = min(count, len(items))
    return [items[index * len(items) // count] for index in range(count)]


def missing_files(paths: Iterable[str]) -> list[str]:
    """The paths at which there is nothing, in the given order; one listing per folder."""
    paths = list(paths)
    names = defaultdict(set)
    for folder in {os.path.dirname(path) for path in paths}:
        if os.path.isdir(folder or '.'):
            names[folder] = set(os.listdir(folder or '.'))
    return [path for path in paths if os.path.basename(path) not in names[os.path.dirname(path)]]


def decode(path: str | Path) -> Image.Image:
    """The decoded image of a file.

    Raises:
        ValueError: With the reason why it cannot be decoded.
    """
    try:
        with Image.open(path) as image:
            image.load()
    except Exception as error:  # decoders of damaged files raise almost anything
        reason = ' '.join(str(error).split()).rstrip('.')
        raise ValueError(f'{type(error).__name__}: {reason}') from error
    return image


def count_finding(what: str, found: int, expected: int | None) -> Finding:
    """A number of files against that of the data set; None where nothing is expected."""
    if expected is None or found == expected:
        return Finding('ok', f'{what}: {found:,} images.')
    return Finding(
        'warning',
        f'{what}: expected {expected:,} images, found {found:,}; fine if a part is meant.',
    )


def missing_folders(root: Path, folders: Sequence[str], inner: Sequence[str]) -> Iterator[Finding]:
    """An error for every folder that ``root`` lacks.

    Args:
        root: The data set's folder.
        folders: What must be there, relative to it.
        inner: Where archives put the data set when they are unpacked in ``root``; if it is there,
            the error says so.
    """
    if not root.is_dir():
        yield Finding('error', f"Expected the data set's folder, found none at {str(root)!r}.")
        return
    missing = [folder for folder in folders if not (root / folder).is_dir()]
    if len(missing) == len(folders):
        for name in inner:
            if (root / name / folders[0]).is_dir():
                yield Finding(
                    'error', f'The data set is one level further down: take {str(root / name)!r}.'
                )
                return
    for folder in missing:
        yield Finding('error', f'Expected a folder {folder!r} in {str(root)!r}, found none.')


def left_out(what: str, listing: Listing) -> Iterator[Finding]:
    """What is there beside the images of a folder."""
    for sentence in listing.left_out():
        yield Finding('warning', f'{what}: {sentence}')


def spot_check(
    what: str,
    paths: Sequence[str | Path],
    sample: int,
    replaced: bool = False,
    seconds: float = math.inf,
) -> Iterator[Finding]:
    """Read an evenly spaced sample of image files, as training does, in a random order.

    Args:
        what: What they are, for the messages.
        paths: The files.
        sample: How many to read.
        replaced: Whether a run does without files that cannot be read, if they are few.
        seconds: After which no more are read.
    """
    failures, dark, count, start = [], [], 0, time.monotonic()
    paths = evenly_spaced(paths, sample)
    for path in random.Random(0).sample(paths, len(paths)):
        if time.monotonic() - start > seconds:
            break
        count += 1
        try:
            _, mode = read_with_pillow(path)
        except UnreadableImage as reason:
            failures.append(f'{path} ({" ".join(str(reason).split()).rstrip(".")})')
            continue
        if mode.endswith(FEW_BITS):
            dark.append(path)
    failures, dark = sorted(failures), sorted(dark)
    if dark:
        yield Finding(
            'warning',
            f'{what}: {len(dark)} of {count} sampled images have 16 bits, and no value above '
            f'4095: training, which takes the upper 8, sees them nearly black: {some(dark)}; if '
            'they have 12 bits, multiply their values by 16.',
        )
    if failures:
        few = replaced and len(failures) <= max(FEW, count / 100)
        yield Finding(
            'warning' if few else 'error',
            f'{what}: {len(failures)} of {count} sampled images cannot be decoded'
            f'{", and training leaves them out" if few else ""}: {some(failures)}; copy or unpack '
            'them again.',
        )
    else:
        yield Finding('ok', f'{what}: {count} sampled images decode.')
