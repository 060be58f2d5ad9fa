"""Pictures and label maps in two folders: where they lie, and what the values of the maps mean."""

import json
import random
from pathlib import Path
from typing import NamedTuple

from ...data.files import some
from ...data.label_files import IGNORED, pair_label_maps, read_label_map
from ...preflight.data.files import evenly_spaced
from .class_folders import HELD_OUT, TRAIN, VAL

PICTURES = ('images', 'image', 'imgs', 'pictures', 'JPEGImages', 'leftImg8bit')
LABELS = ('annotations', 'labels', 'masks', 'label', 'mask', 'SegmentationClass', 'gtFine', 'gt')
NAMES = ('classes.txt', 'labels.txt', 'classes.json')
SAMPLE = 2000  # label maps whose values are looked at


class LabelFolders(NamedTuple):
    """A folder with pictures and label maps.

    Attributes:
        root: Its absolute path.
        prefixes: Folders of pictures and of label maps in it, for training and for validation.
        lists: Names without ending of the pictures of training and validation, where both are in
            the same folders; None where they are not.
        counts: Pictures of each that have a label map.
        names: Of the classes.
        zero_is_no_label: Whether classes count from 1, and 0 says that there is none.
    """

    root: Path
    prefixes: tuple[tuple[str, str], tuple[str, str]]
    lists: tuple[list[str], list[str]] | None
    counts: tuple[int, int]
    names: list[str]
    zero_is_no_label: bool


def look_at_labels(folder: str | Path, zero_is_no_label: bool | None) -> LabelFolders:
    """Find pictures, label maps, classes, and what 0 means.

    Args:
        folder: It holds, for instance, ``images/{training,validation}`` and
            ``annotations/{training,validation}``, or ``images`` and ``masks``, of which a fifth is
            held out; and perhaps ``classes.txt``, a name in each line.
        zero_is_no_label: Whether 0 says that there is no label; None to find out: it does if there
            is no 0, or if only then there are as many classes as names.

    Raises:
        ValueError: If no pair of folders is found, or values and names contradict each other.
    """
    root = Path(folder).expanduser().absolute()
    if not root.is_dir():
        raise ValueError(f'Expected a folder of pictures and label maps, found none at {folder!r}.')
    train, val = (find_split(root, names) for names in (TRAIN, VAL))
    whole = find_pair(root, '')
    if not (train and val or whole):
        raise ValueError(
            f'Expected pictures and label maps in two folders of {str(root)!r}, such as images and '
            f'masks, found {some(sorted(path.name for path in root.iterdir())) or "nothing"}; '
            f'rename them: {", ".join(PICTURES)}; {", ".join(LABELS)}.'
        )
    prefixes = (train, val) if train and val else (train or whole, train or whole)
    pairs = [stems_and_maps(root, prefix) for prefix in dict.fromkeys(prefixes)]
    lists = None if len(pairs) == 2 else split([stem for stem, _ in pairs[0]])
    counts = tuple(map(len, lists or pairs))
    values = values_of([path for part in pairs for _, path in part])
    names, reduced = classes(root, values, zero_is_no_label)
    return LabelFolders(root, prefixes, lists, counts, names, reduced)


def find_split(root: Path, splits: tuple[str, ...]) -> tuple[str, str] | None:
    """``images/train`` and ``masks/train``, or ``train/images`` and ``train/masks``."""
    found = (find_pair(root, split) for split in splits)
    return next(filter(None, found), None)


def find_pair(root: Path, split: str) -> tuple[str, str] | None:
    """The folders of pictures and of label maps, relative to ``root``; None if there are none."""
    for form in ('{kind}/{split}', '{split}/{kind}') if split else ('{kind}',):
        both = [
            next((p for p in paths if (root / p).is_dir()), None)
            for paths in (
                [form.format(kind=kind, split=split) for kind in kinds]
                for kinds in (PICTURES, LABELS)
            )
        ]
        if all(both):
            return tuple(both)
    return None


def stems_and_maps(root: Path, prefix: tuple[str, str]) -> list[tuple[str, str]]:
    """Names without ending of the pictures that have a label map, and its path.

    Raises:
        ValueError: If there are none.
    """
    pictures, maps = (root / folder for folder in prefix)
    found = pair_label_maps(pictures, maps).pairs
    if not found:
        raise ValueError(
            f'Expected a label map in {str(maps)!r} with the name of each picture in '
            f'{str(pictures)!r}, found none; a/b.jpg goes with a/b.png.'
        )
    stem = [str(Path(path).relative_to(pictures).with_suffix('')) for path, _ in found]
    return [(name, label) for name, (_, label) in zip(stem, found, strict=True)]


def split(stems: list[str]) -> tuple[list[str], list[str]]:
    """A fifth is held out, drawn once and for all.

    Raises:
        ValueError: If there are too few for that.
    """
    held_out = {*random.Random(0).sample(stems, len(stems) // HELD_OUT)}
    if not held_out:
        raise ValueError(
            f'Expected {HELD_OUT} labelled pictures, of which one is held out to validate on, '
            f'found {len(stems)}; add some, or folders train and val.'
        )
    return [s for s in stems if s not in held_out], [s for s in stems if s in held_out]


def values_of(maps: list[str]) -> set[int]:
    """The values of many label maps but 255.

    Raises:
        ValueError: If one of them holds no labels.
    """
    found: set[int] = set()
    for path in evenly_spaced(maps, SAMPLE):
        found.update(int(value) for value in {*read_label_map(path).ravel().tolist()})
    return found - {IGNORED}


def classes(root: Path, values: set[int], zero_is_no_label: bool | None) -> tuple[list[str], bool]:
    """Names of the classes, and whether they count from 1.

    Raises:
        ValueError: If the names in a file are not as many as the classes.
    """
    names, highest = names_in(root), max(values, default=0)
    reduced = zero_is_no_label
    if reduced is None:
        reduced = 0 not in values or (names is not None and highest == len(names))
    count = highest + (not reduced)
    if names is None:
        names = [f'class {number + reduced}' for number in range(count)]
    if count > len(names):
        raise ValueError(
            f'Expected labels of the {len(names)} classes that {str(root)!r} names, found '
            f'{highest} as the highest label; name all classes, or correct the label maps.'
        )
    if len(names) < 2 and not reduced:
        raise ValueError(
            f'Expected two classes at least in the label maps of {str(root)!r}, found the values '
            f'{sorted(values)}; label what is not the class with 0.'
        )
    return names, reduced


def names_in(root: Path) -> list[str] | None:
    """Names of the classes: lines of a text file, or a list in JSON, perhaps as ``classes``.

    Raises:
        ValueError: If the file holds something else.
    """
    file = next((root / name for name in NAMES if (root / name).is_file()), None)
    if file is None:
        return None
    text = file.read_text(encoding='utf-8')
    if file.suffix == '.txt':
        return [line.strip() for line in text.splitlines() if line.strip()]
    content = json.loads(text)
    names = content.get('classes') if isinstance(content, dict) else content
    if not isinstance(names, list):
        raise ValueError(
            f'Expected a list of names in {str(file)!r}, found {type(content).__name__}; write a '
            'name in each line of classes.txt instead.'
        )
    return [str(name) for name in names]
