"""COCO's annotation files as converters write them: what can be understood is put right, the rest
is named. The same for training, evaluation and the checks before them. Needs nothing but NumPy."""

import json
import math
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .files import some

LISTS = ('images', 'annotations', 'categories')
REQUIRED = {
    'images': ('id', 'file_name', 'height', 'width'),
    'annotations': ('image_id', 'category_id'),
    'categories': ('id', 'name'),
}
NUMBERS = (int, float)


class Instances(NamedTuple):
    """An annotation file.

    Attributes:
        content: The lists ``images``, ``annotations`` and ``categories``: ids are whole numbers,
            those of annotations not 0; boxes, areas and sizes are numbers; every annotation has
            ``bbox``, ``area`` and ``iscrowd``.
        repairs: What was read otherwise than it is written, in sentences.
    """

    content: dict
    repairs: list[str]


class Repairs:
    """What was put right: for each kind the first ids and a number."""

    def __init__(self) -> None:
        self.ids = defaultdict(list)

    def add(self, what: str, name: object) -> None:
        """One more entry of this kind, by its id."""
        self.ids[what].append(name)

    def sentences(self) -> list[str]:
        """One for each kind."""
        return [f'{what}: {len(ids):,} (id {some(ids)}).' for what, ids in self.ids.items()]


def read_instances(path: str | Path, labelled: bool = True) -> Instances:
    """Read an ``instances_*.json``.

    Args:
        path: The file, in any of Unicode's encodings, with a mark of it or without.
        labelled: Whether there must be annotations; without, ``image_info_*.json`` will do.

    Raises:
        ValueError: If it is not complete JSON, a list or a key is missing, or a value cannot be
            understood; naming file, key and the first entries.
    """
    content, repairs = _lists(path, labelled), Repairs()
    numbers = {key: _numbers(content[key], key, path, repairs) for key in ('images', 'categories')}
    for image in content['images']:
        _repair_image(image, path, repairs)
    for category in content['categories']:
        category['name'] = str(category['name'])
    _number_annotations(content['annotations'], repairs)
    for annotation in content['annotations']:
        for key, known in (('image_id', numbers['images']), ('category_id', numbers['categories'])):
            if known or type(annotation[key]) is not int:
                _repair_reference(annotation, key, known, path, repairs)
        if not _is_sound(annotation):
            _repair(annotation, path, repairs)
    return Instances(content, repairs.sentences())


def _lists(path: str | Path, labelled: bool) -> dict:
    """The file's content; its lists are there and their entries have the keys that are needed."""
    try:
        content = json.loads(Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(
            f'Expected complete JSON in {str(path)!r}, found it cut off or damaged ({error}); '
            'download or copy it again.'
        ) from error
    if not labelled and isinstance(content, dict) and not content.get('annotations'):
        content['annotations'] = []
    for key in LISTS:
        entries = content.get(key) if isinstance(content, dict) else None
        if entries == [] and key == 'annotations' and not labelled:
            continue
        if not isinstance(entries, list) or not entries:
            found = sorted(content) if isinstance(content, dict) else type(content).__name__
            raise ValueError(
                f'Expected a non-empty list {key!r} in {str(path)!r}, found '
                f'{"an empty one" if entries == [] else f"none in {found}"}; take a file of '
                "instances in COCO's format."
            )
        for index, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise _misunderstood(entry, 'an entry with keys', f'{key}[{index}]', path)
            if lacking := [name for name in REQUIRED[key] if name not in entry]:
                raise ValueError(
                    f'Expected {", ".join(REQUIRED[key])} in every entry of {key!r} in '
                    f'{str(path)!r}, found entry {index} without {", ".join(lacking)}; add what is '
                    'missing.'
                )
    return content


def _misunderstood(value: object, expected: str, where: str, path: str | Path) -> ValueError:
    return ValueError(
        f'Expected {expected} as {where} in {str(path)!r}, found {str(value)[:80]!r}; correct the '
        'file.'
    )


def _whole(value: object) -> object:
    """A whole number that is written as text or with a decimal point; another text as it is; of
    anything else None."""
    if type(value) is int:
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        return int(value) if value.strip().isdecimal() else value
    return None


def _number(value: object) -> float | int | None:
    """A finite number, also one written as text; of anything else None."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    sound = isinstance(value, NUMBERS) and not isinstance(value, bool) and math.isfinite(value)
    return value if sound else None


def _numbers(entries: Sequence[dict], key: str, path: str | Path, repairs: Repairs) -> dict:
    """Give the entries whole numbers as ids, in place.

    Returns:
        The new ids by what :func:`_whole` makes of the old ones; empty if nothing changed.
    """
    if all(type(entry['id']) is int for entry in entries):
        return {}
    ids = [_whole(entry['id']) for entry in entries]
    if None in ids:
        entry = entries[ids.index(None)]
        raise _misunderstood(entry['id'], 'a number or text', f'id in {key!r}', path)
    if any(isinstance(number, str) for number in ids):
        repairs.ids[f'ids of {key} that are text are numbered in their order'] = ids
        new = {number: index for index, number in enumerate(dict.fromkeys(ids), start=1)}
    else:
        repairs.ids[f'ids of {key} are read as whole numbers'] = ids
        new = {number: number for number in ids}
    for entry, number in zip(entries, ids, strict=True):
        entry['id'] = new[number]
    return new


def _repair_reference(
    annotation: dict, key: str, known: Mapping, path: str | Path, repairs: Repairs
) -> None:
    """Have an ``image_id`` or ``category_id`` name the new id; an unknown one stays."""
    number = _whole(annotation[key])
    if number is None:
        where = f'{key} of annotation {annotation["id"]}'
        raise _misunderstood(annotation[key], 'a number or text', where, path)
    if not known:
        repairs.add(f'{key} of annotations is read as a whole number', annotation['id'])
    annotation[key] = known.get(number, number)


def _number_annotations(annotations: Sequence[dict], repairs: Repairs) -> None:
    """Nothing refers to annotations by their id, and COCO's evaluation takes 0 for no instance."""
    if all(type(entry.get('id')) is int and entry['id'] for entry in annotations):
        return
    ids = [entry.get('id') for entry in annotations]
    if len({*map(str, ids)}) < len(ids) and None not in ids:
        for entry in annotations:  # repeated ones are told of by the checks
            entry['id'] = str(entry['id'])
        return
    repairs.ids['annotations are numbered anew, as ids are missing, 0 or text'] = ids
    for number, entry in enumerate(annotations, start=1):
        entry['id'] = number


def _repair_image(image: dict, path: str | Path, repairs: Repairs) -> None:
    name = image['file_name']
    if not isinstance(name, str) or not name:
        raise _misunderstood(name, 'the name of a file', f'file_name of image {image["id"]}', path)
    if '\\' in name:
        image['file_name'] = name.replace('\\', '/')
        repairs.add('backslashes in file_name are read as slashes', image['id'])
    for key in ('height', 'width'):
        if type(image[key]) is not int or image[key] < 1:
            size = _whole(image[key])
            if not isinstance(size, int) or size < 1:
                where = f'{key} of image {image["id"]}'
                raise _misunderstood(image[key], 'a number of pixels', where, path)
            image[key] = size
            repairs.add('sizes of images are read as whole numbers', image['id'])


def _is_sound(annotation: Mapping) -> bool:
    """Whether there is nothing to put right, as in COCO's own files; to be fast, not thorough."""
    get = annotation.get
    box, area, parts = get('bbox'), get('area'), get('segmentation')
    return (
        type(box) is list
        and len(box) == 4
        and all(type(value) in NUMBERS for value in box)
        and type(area) in NUMBERS
        and area > 0
        and type(get('iscrowd')) is int
        and type(get('ignore', 0)) in (int, bool)
        and (type(parts) is dict or not parts or type(parts[0]) is list)
    )


def _repair(annotation: dict, path: str | Path, repairs: Repairs) -> None:
    """Put one annotation right, in place."""
    name = annotation['id']
    for key in ('iscrowd', 'ignore'):
        if key == 'iscrowd' or key in annotation:
            annotation[key] = _flag(annotation, key, path, repairs)
    parts = annotation.get('segmentation')
    if isinstance(parts, list) and parts and all(_number(value) is not None for value in parts):
        annotation['segmentation'] = [parts]
        repairs.add('a segmentation that is one list of numbers is read as a polygon', name)
    elif not (
        parts is None
        or isinstance(parts, list)
        or (isinstance(parts, dict) and {'counts', 'size'} <= parts.keys())
    ):
        raise _misunderstood(
            parts, 'polygons or run lengths', f'segmentation of annotation {name}', path
        )
    if isinstance(annotation.get('segmentation'), list):
        _repair_polygons(annotation, path)
    annotation['bbox'] = _box(annotation, path, repairs)
    area = _number(annotation.get('area'))
    if not area or area < 0:
        area = _area(annotation)
        repairs.add('areas that are missing or 0 are computed', name)
    annotation['area'] = area


def _flag(annotation: Mapping, key: str, path: str | Path, repairs: Repairs) -> int:
    value = annotation.get(key)
    if value is None:
        repairs.add(f'annotations without {key} are taken to have 0', annotation['id'])
        return 0
    flag = _whole(int(value) if isinstance(value, bool) else value)
    if flag not in (0, 1):
        raise _misunderstood(value, '0 or 1', f'{key} of annotation {annotation["id"]}', path)
    return flag


def _repair_polygons(annotation: dict, path: str | Path) -> None:
    """Numbers written as text become numbers."""
    polygons = []
    for polygon in annotation['segmentation']:
        numbers = [_number(value) for value in polygon] if isinstance(polygon, list) else [None]
        if None in numbers:
            where = f'segmentation of annotation {annotation["id"]}'
            raise _misunderstood(polygon, 'polygons [x, y, x, y, …]', where, path)
        polygons.append(numbers)
    annotation['segmentation'] = polygons


def _box(annotation: Mapping, path: str | Path, repairs: Repairs) -> list:
    """The box as numbers; where there is none, that around the segmentation."""
    box, parts, name = annotation.get('bbox'), annotation.get('segmentation'), annotation['id']
    if box:
        numbers = [_number(value) for value in box] if isinstance(box, list) else []
        if len(numbers) != 4 or None in numbers:
            raise _misunderstood(
                box, 'numbers [x, y, width, height]', f'bbox of annotation {name}', path
            )
        return numbers
    if not parts:
        raise ValueError(
            f'Expected a bbox or a segmentation in every annotation of {str(path)!r}, found '
            f'annotation {name} without; add what is missing.'
        )
    repairs.add('boxes that are missing are those around the segmentation', name)
    if isinstance(parts, dict):
        return _run_lengths(parts)[1]
    x, y = (np.concatenate([polygon[first::2] for polygon in parts]) for first in (0, 1))
    return [float(x.min()), float(y.min()), float(np.ptp(x)), float(np.ptp(y))]


def _area(annotation: Mapping) -> float:
    """Of the segmentation, or where there is none, of the box."""
    parts = annotation.get('segmentation')
    if not parts:
        return annotation['bbox'][2] * annotation['bbox'][3]
    if isinstance(parts, dict):
        return _run_lengths(parts)[0]
    return sum(_polygon_area(polygon) for polygon in parts if len(polygon) % 2 == 0)


def _polygon_area(polygon: Sequence[float]) -> float:
    """By the shoelace formula."""
    x, y = np.asarray(polygon, float).reshape(-1, 2).T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _run_lengths(encoded: Mapping) -> tuple[int, list[float]]:
    """Area and box of a mask as run lengths."""
    from pycocotools import mask  # late: comes with mmdet

    if isinstance(encoded['counts'], list):
        encoded = mask.frPyObjects(dict(encoded), *encoded['size'])
    return int(mask.area(encoded)), mask.toBbox(encoded).tolist()


# Classes and what takes no part -------------------------------------------------------------------


def category_ids(content: Mapping, classes: Iterable[str], path: str | Path) -> list[int]:
    """The ids of categories by their names, in the order of the names.

    Raises:
        ValueError: If a name is not there, or there twice.
    """
    categories = content['categories']
    known = {category['name']: category['id'] for category in categories}
    classes = list(classes)
    if absent := [name for name in classes if name not in known]:
        raise ValueError(
            f'Expected the {len(classes)} classes of the data set (metainfo) among the categories '
            f'of {str(path)!r} ({some(list(known))}), found {len(absent)} that are not: '
            f'{some(absent)}; set metainfo=dict(classes=...) to names of these categories.'
        )
    return [known[name] for name in classes]


def number_categories(content: Mapping, first: Sequence[int]) -> list[int]:
    """Give categories new ids, in place: those with the ids ``first`` get 0, 1, 2 …, which are
    returned."""
    others = (category['id'] for category in content['categories'])
    new = {number: index for index, number in enumerate(dict.fromkeys([*first, *others]))}
    for category in content['categories']:
        category['id'] = new[category['id']]
    for annotation in content['annotations']:
        annotation['category_id'] = new[annotation['category_id']]
    return list(range(len(first)))


def why_left_out(annotation: Mapping, image: Mapping, categories: Container[int]) -> str | None:
    """Why an annotation takes no part in training; None if it does. These are mmdet's rules."""
    x, y, width, height = annotation['bbox']
    if annotation.get('ignore'):
        return 'marked to be ignored'
    if annotation['category_id'] not in categories:
        return 'of categories that are no classes here'
    if width < 1 or height < 1 or annotation['area'] <= 0:
        return 'less than a pixel wide or high'
    across = min(x + width, image['width']) - max(x, 0)
    down = min(y + height, image['height']) - max(y, 0)
    return 'outside their image' if across <= 0 or down <= 0 else None


def instances_of(content: Mapping, categories: Container[int]) -> tuple[dict, list[str]]:
    """The annotations that take part, by the ids of their images.

    Returns:
        They, and in sentences which others there are.
    """
    images = {image['id']: image for image in content['images']}
    kept, others = {number: [] for number in images}, Repairs()
    for annotation in content['annotations']:
        image = images.get(annotation['image_id'])
        reason = 'of images that are not listed'
        if image is not None:
            reason = why_left_out(annotation, image, categories)
        if reason is None:
            kept[annotation['image_id']].append(annotation)
        else:
            others.add(f'annotations {reason} are left out', annotation['id'])
    return kept, others.sentences()
