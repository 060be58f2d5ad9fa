"""Pictures in a folder for each class: which splits there are, or a split of one's own."""

import random
from pathlib import Path
from typing import NamedTuple

from ...data.files import class_folders, list_images, some

TRAIN = ('train', 'training')
VAL = ('val', 'valid', 'validation', 'test', 'testing')
HELD_OUT = 5  # one of so many pictures of a class is for validation where there is no such folder


class ClassFolders(NamedTuple):
    """A labelled folder.

    Attributes:
        root: Its absolute path.
        names: Of the classes, in the order of their labels.
        folders: Of training and validation, relative to ``root``; '' where lists tell them apart.
        lists: Lines ``<picture> <label>`` of training and validation; None where folders do.
        counts: Pictures of each.
    """

    root: Path
    names: list[str]
    folders: tuple[str, str]
    lists: tuple[list[str], list[str]] | None
    counts: tuple[int, int]


def look_at_classes(folder: str | Path) -> ClassFolders:
    """Find ``train/<class>`` and ``val/<class>``, or ``<class>``, of which a fifth is held out.

    Raises:
        ValueError: If there are not at least two classes with pictures, or training and
            validation have other ones.
    """
    root = Path(folder).expanduser().absolute()
    if not root.is_dir():
        raise ValueError(f'Expected a folder of classes, found none at {str(root)!r}.')
    train, val = (next((n for n in names if (root / n).is_dir()), None) for names in (TRAIN, VAL))
    if train and val:
        return of_two_folders(root, train, val)
    return of_one_folder(root / train if train else root)


def of_two_folders(root: Path, train: str, val: str) -> ClassFolders:
    """Training and validation lie apart."""
    names, others = (sorted(by_class(root / split)) for split in (train, val))
    require_classes(root / train, names)
    if names != others:
        raise ValueError(
            f'Expected the same classes in {train} and {val} of {str(root)!r}, found only in one: '
            f'{some(sorted({*names} ^ {*others}))}; correct the folders.'
        )
    counts = (sum(map(len, by_class(root / split).values())) for split in (train, val))
    return ClassFolders(root, names, (train, val), None, tuple(counts))


def of_one_folder(root: Path) -> ClassFolders:
    """A fifth of each class is held out, drawn once and for all."""
    found = by_class(root)
    names = sorted(found)
    require_classes(root, names)
    train, val = [], []
    for label, name in enumerate(names):
        pictures = found[name]
        held_out = {*random.Random(0).sample(pictures, len(pictures) // HELD_OUT)}
        for picture in pictures:
            (val if picture in held_out else train).append(f'{picture} {label}')
    if not val:
        raise ValueError(
            f'Expected a class with {HELD_OUT} pictures in {str(root)!r}, of which one is held out '
            'to validate on, found none; add pictures, or folders train and val.'
        )
    return ClassFolders(root, names, ('', ''), (train, val), (len(train), len(val)))


def by_class(root: Path) -> dict[str, list[str]]:
    """Sorted pictures of every class folder that has any, relative to ``root``."""
    listed = {name: list_images(root / name).images for name in class_folders(root)}
    return {k: [f'{k}/{image}' for image in images] for k, images in listed.items() if images}


def require_classes(folder: Path, names: list[str]) -> None:
    """Raise ``ValueError`` unless there are two classes."""
    if len(names) < 2:
        raise ValueError(
            f'Expected pictures in a folder for each of two or more classes in {str(folder)!r}, '
            f'found {f"the class {names[0]} alone" if names else "no such folder"}; sort them into '
            'folders, or learn without labels: python -m bootmae_mm pretrain.'
        )
