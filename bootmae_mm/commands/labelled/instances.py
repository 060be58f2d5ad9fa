"""Pictures with COCO's annotations: which file is of training and which of validation, where the
pictures lie, and what is annotated."""

import json
import random
from pathlib import Path
from typing import NamedTuple

from ...data.coco_file import read_instances
from ...data.files import some
from .class_folders import HELD_OUT, TRAIN, VAL

LISTS = ('images', 'annotations', 'categories')


class Part(NamedTuple):
    """Training or validation.

    Attributes:
        file: The annotations.
        folder: The pictures.
        content: What is in the file.
    """

    file: Path
    folder: Path
    content: dict

    @property
    def count(self) -> int:
        """Number of pictures."""
        return len(self.content['images'])


class Instances(NamedTuple):
    """A folder with annotated pictures.

    Attributes:
        train: Of training.
        val: Of validation.
        names: Of the categories.
        masks: Whether all instances have a segmentation.
        held_out: Whether validation is a part of one file, to be written anew.
    """

    train: Part
    val: Part
    names: list[str]
    masks: bool
    held_out: bool


def look_at_instances(folder: str | Path) -> Instances:
    """Find annotations in COCO's form and their pictures; of a single file a fifth is held out.

    Raises:
        ValueError: If there are none, several that could be of training, or no pictures.
    """
    root = Path(folder).expanduser().absolute()
    if not root.is_dir():
        raise ValueError(f'Expected a folder with annotated pictures, found none at {folder!r}.')
    files = annotation_files(root)
    train, val = (named(files, words) for words in (TRAIN, VAL))
    if len(files) == 1:
        parts, held_out = split(read_part(root, files[0])), True
    elif len(train) == len(val) == 1:
        parts, held_out = tuple(read_part(root, file) for file in (*train, *val)), False
    else:
        raise ValueError(
            f"Expected one file of annotations in COCO's form in {str(root)!r}, or one with train "
            f'and one with val in its path, found {some(files) or "none"}; move the others away.'
        )
    names = [category['name'] for category in parts[0].content['categories']]
    annotations = [a for part in parts for a in part.content['annotations']]
    if not annotations:
        raise ValueError(f'Expected instances in {str(parts[0].file)!r}, found no annotations.')
    masks = all(annotation.get('segmentation') for annotation in annotations)
    return Instances(*parts, names, masks, held_out)


def annotation_files(root: Path) -> list[Path]:
    """JSON files in a folder and one below it that begin as COCO's instances do."""
    found = sorted([*root.glob('*.json'), *root.glob('*/*.json')])
    return [path for path in found if is_of_instances(path)]


def is_of_instances(path: Path) -> bool:
    """Whether a file has the three lists."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError:  # no JSON at all; it is told of if no other file is found
        return False
    return isinstance(content, dict) and all(isinstance(content.get(k), list) for k in LISTS)


def named(files: list[Path], words: tuple[str, ...]) -> list[Path]:
    """Those whose own name, or whose folder's, has one of the words."""
    return [f for f in files if any(word in f'{f.parent.name}/{f.name}'.lower() for word in words)]


def read_part(root: Path, file: Path) -> Part:
    """A file and its pictures.

    Raises:
        ValueError: If the file cannot be understood, or its pictures are nowhere.
    """
    content, _ = read_instances(file)
    split = next((w for w in (*TRAIN, *VAL) if w in file.name.lower()), '')
    places = [
        file.parent, root, root / f'{split}2017', root / split, root / 'images' / split,
        root / 'images', root / f'images/{split}2017',
    ]  # fmt: skip
    first = content['images'][0]['file_name'] if content['images'] else ''
    for place in places:
        if first and (place / first).is_file():
            return Part(file, place, content)
    raise ValueError(
        f'Expected the picture {first!r} of {str(file)!r} in one of the folders beside it, found '
        f'it in none of {some([str(place) for place in dict.fromkeys(places)], 7)}.'
    )


def split(part: Part) -> tuple[Part, Part]:
    """A fifth of the pictures is held out, drawn once and for all.

    Raises:
        ValueError: If there are too few for that.
    """
    ids = sorted(image['id'] for image in part.content['images'])
    held_out = {*random.Random(0).sample(ids, len(ids) // HELD_OUT)}
    if not held_out:
        raise ValueError(
            f'Expected {HELD_OUT} annotated pictures, of which one is held out to validate on, '
            f'found {len(ids)}; add some, or a second file of annotations.'
        )
    others = {*ids} - held_out
    return tuple(part._replace(content=chosen(part.content, kept)) for kept in (others, held_out))


def chosen(content: dict, ids: set[int]) -> dict:
    """The annotations of some pictures."""
    return dict(
        images=[image for image in content['images'] if image['id'] in ids],
        annotations=[a for a in content['annotations'] if a['image_id'] in ids],
        categories=content['categories'],
    )
