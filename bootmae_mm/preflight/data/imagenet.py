"""ImageNet-1K, or another data set of class folders, for :class:`.image_folders.ImageFolders`."""

import re
from collections.abc import Iterator
from pathlib import Path

from ...data.files import class_folders, list_images, some
from .files import Finding, count_finding, left_out, missing_folders, spot_check

LAYOUT = """\
imagenet/
    train/<class>/<name>.JPEG     1,281,167 images in 1,000 class folders, e.g. train/n01440764/
    val/<class>/<name>.JPEG          50,000 images in the same 1,000 class folders"""

NUM_CLASSES = 1000
NUM_IMAGES = {'train': 1_281_167, 'val': 50_000}
WORDNET_ID = re.compile(r'n\d{8}')
UNPACKED_BELOW = ('ILSVRC/Data/CLS-LOC', 'Data/CLS-LOC', 'imagenet', 'ILSVRC2012')


def check(root: str | Path, num_classes: int | None = None, sample: int = 20) -> Iterator[Finding]:
    """Look at ``root/{train,val}/<class>/<image>``.

    Args:
        root: The data set's folder.
        num_classes: Class folders expected in each split; by default as many as there are.
            Numbers of images are expected of ImageNet's 1,000 only.
        sample: How many images of each split to decode.
    """
    root = Path(root)
    missing = list(missing_folders(root, list(NUM_IMAGES), UNPACKED_BELOW))
    yield from missing
    classes = {}
    for split, expected in NUM_IMAGES.items():
        if (root / split).is_dir():
            names = classes[split] = class_folders(root / split)
            if num_classes is None:
                yield from _part_of_imagenet(split, names)
            number = num_classes or len(names)
            expected = expected if number == NUM_CLASSES else None
            yield from _check_split(root, split, names, number, expected, sample)
    if all(classes.get(split) for split in NUM_IMAGES) and classes['train'] != classes['val']:
        differing = sorted(set(classes['train']) ^ set(classes['val']))
        yield Finding(
            'error',
            'Expected the same class folders in train and val, as labels are positions in their '
            f'sorted list, found only in one of them: {some(differing)}.',
        )


def _part_of_imagenet(split: str, classes: list[str]) -> Iterator[Finding]:
    if classes and len(classes) != NUM_CLASSES and all(map(WORDNET_ID.fullmatch, classes)):
        yield Finding(
            'warning',
            f"{split}: expected ImageNet's {NUM_CLASSES:,} class folders, found {len(classes):,} "
            f'({some(classes)}); fine if a part is meant.',
        )


def _check_split(
    root: Path, split: str, classes: list[str], num_classes: int, expected: int | None, sample: int
) -> Iterator[Finding]:
    found = list_images(root / split)
    names = found.images
    if not classes:
        yield _without_classes(root, split, names, found.others)
        return
    if len(classes) == num_classes:
        yield Finding('ok', f'{split}: {num_classes:,} class folders.')
    else:
        yield Finding(
            'error',
            f'{split}: expected {num_classes:,} class folders, found {len(classes):,} '
            f'({some(classes)}); --num-classes sets another number.',
        )
    loose = [name for name in names if '/' not in name]
    if loose:
        yield Finding(
            'warning',
            f'{split}: expected every image in a class folder, found {len(loose):,} beside them, '
            f'which are left out: {some(loose)}.',
        )
    filled = {name.partition('/')[0] for name in names}
    empty = [name for name in classes if name not in filled]
    if empty:
        yield Finding(
            'warning', f'{split}: no image in {len(empty):,} class folders: {some(empty)}.'
        )
    yield from left_out(split, found)
    if names:
        yield count_finding(split, len(names), expected)
        paths = [root / split / name for name in names]
        yield from spot_check(split, paths, sample, replaced=split == 'train')


def _without_classes(root: Path, split: str, names: list[str], others: list[str]) -> Finding:
    archives = [name for name in others if name.endswith('.tar')]
    if archives:
        return Finding(
            'error',
            f'{split}: expected class folders, found {len(archives):,} archives ({some(archives)});'
            ' unpack each into a folder of its name.',
        )
    if names and (root / 'meta' / f'{split}.txt').is_file():
        return Finding(
            'warning',
            f'{split}: {len(names):,} images without class folders, labels in meta/{split}.txt: '
            f"mmpretrain's ImageNet with split='{split}' reads them, CustomDataset needs "
            f"ann_file='meta/{split}.txt' and data_prefix='{split}'.",
        )
    return Finding(
        'error',
        f'{split}: expected class folders, found none but {len(names):,} loose images; move each '
        f'into the folder of its class ({split}/<class>/), which for ImageNet LOC_val_solution.csv '
        '(Kaggle) or the ILSVRC2012 development kit names, or list "<image> <label>" lines in '
        f"meta/{split}.txt and set ann_file='meta/{split}.txt'.",
    )
