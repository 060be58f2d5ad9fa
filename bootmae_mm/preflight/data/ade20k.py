"""ADE20K as mmseg reads it: the SceneParsing release, ADEChallengeData2016."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...data.files import list_images, some
from .files import Finding, count_finding, decode, evenly_spaced, missing_folders

LAYOUT = """\
ADEChallengeData2016/
    images/training/<name>.jpg           20,210 images
    images/validation/<name>.jpg          2,000 images
    annotations/training/<name>.png      one 8-bit single-channel map for each image,
    annotations/validation/<name>.png    0 = background (ignored), 1 to 150 = classes"""

NUM_CLASSES = 150
NUM_IMAGES = {'training': 20_210, 'validation': 2_000}
IGNORED = 255
SINGLE_CHANNEL = ('L', 'P')  # Pillow's names of 8-bit values and palette indices


def check(root: str | Path, num_classes: int = NUM_CLASSES, sample: int = 20) -> Iterator[Finding]:
    """Look at ``root/{images,annotations}/{training,validation}``.

    Args:
        root: The folder ``ADEChallengeData2016``.
        num_classes: Without the background, which is 0 in the label maps; numbers of images are
            expected of ADE20K's 150 only.
        sample: How many images and label maps of each split to decode.
    """
    root = Path(root)
    folders = [f'{kind}/{split}' for split in NUM_IMAGES for kind in ('images', 'annotations')]
    yield from missing_folders(root, folders, ('ADEChallengeData2016', 'ade'))
    for split, expected in NUM_IMAGES.items():
        if all((root / kind / split).is_dir() for kind in ('images', 'annotations')):
            expected = expected if num_classes == NUM_CLASSES else None
            yield from _check_split(root, split, num_classes, expected, sample)


def _check_split(
    root: Path, split: str, num_classes: int, expected: int | None, sample: int
) -> Iterator[Finding]:
    labels = _stems(root / 'annotations' / split, '.png')
    suffix, images = '.jpg', _stems(root / 'images' / split, '.jpg')
    if not images:
        suffix, images = '.png', _stems(root / 'images' / split, '.png')
        if not images:
            yield Finding('error', f'{split}: expected .jpg images in images/{split}, found none.')
            return
        yield Finding('warning', f"{split}: images are .png, the config needs img_suffix='.png'.")
    yield count_finding(split, len(images), expected)
    known = set(labels)
    without = [name for name in images if name not in known]
    if without:
        yield Finding(
            'error',
            f'{split}: expected a label map annotations/{split}/<name>.png for every image, found '
            f'none for {len(without):,}: {some(without)}.',
        )
    spare = sorted(known - set(images))
    if spare:
        yield Finding(
            'warning', f'{split}: {len(spare):,} label maps have no image: {some(spare)}.'
        )
    pairs = [
        (root / 'images' / split / f'{name}{suffix}', root / 'annotations' / split / f'{name}.png')
        for name in images
        if name in known
    ]
    yield _spot_check(split, evenly_spaced(pairs, sample), num_classes)


def _stems(folder: Path, extension: str) -> list[str]:
    return [os.path.splitext(name)[0] for name in list_images(folder, (extension,)).images]


def _spot_check(split: str, pairs: list[tuple[Path, Path]], num_classes: int) -> Finding:
    problems, highest = [], 0
    for image, label_map in pairs:
        try:
            highest = max(highest, _highest_label(image, label_map, num_classes))
        except ValueError as problem:
            problems.append(str(problem))
    if problems:
        return Finding(
            'error',
            f'{split}: {len(problems)} of {len(pairs)} sampled images or label maps are wrong: '
            f'{some(problems)}.',
        )
    return Finding(
        'ok',
        f'{split}: {len(pairs)} sampled images and label maps decode and fit, labels up to '
        f'{highest}.',
    )


def _highest_label(image: Path, label_map: Path, num_classes: int) -> int:
    """The highest label but 255 of a pair of files.

    Raises:
        ValueError: If one cannot be decoded, the label map has another size or kind of pixels, or
            a label is not one of 0 to ``num_classes`` or 255.
    """
    sizes = []
    for path in (image, label_map):
        try:
            decoded = decode(path)
        except ValueError as reason:
            raise ValueError(f'{path} cannot be decoded ({reason})') from reason
        sizes.append(decoded.size)
    if sizes[0] != sizes[1]:
        width, height = sizes[1]
        raise ValueError(
            f'{label_map} is {width} × {height}, its image {sizes[0][0]} × {sizes[0][1]} pixels'
        )
    if decoded.mode not in SINGLE_CHANNEL:
        raise ValueError(f'{label_map} is no 8-bit single-channel image but {decoded.mode}')
    labels = np.asarray(decoded)
    highest = int(labels[labels != IGNORED].max(initial=0))
    if highest > num_classes:
        raise ValueError(
            f'{label_map} has label {highest}, expected 0 to {num_classes} or {IGNORED}'
        )
    return highest
