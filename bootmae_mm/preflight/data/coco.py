"""COCO 2017 as mmdet reads it."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...data.files import some
from .files import Finding, count_finding, decode, evenly_spaced, missing_files, missing_folders

LAYOUT = """\
coco/
    annotations/instances_train2017.json
    annotations/instances_val2017.json
    train2017/<image>.jpg     118,287 images
    val2017/<image>.jpg         5,000 images"""

NUM_CLASSES = 80
NUM_IMAGES = {'train2017': 118_287, 'val2017': 5_000}
REQUIRED = {
    'images': ('id', 'file_name', 'height', 'width'),
    'annotations': ('id', 'image_id', 'category_id', 'bbox', 'area'),
    'categories': ('id', 'name'),
}
LARGE = 100_000_000  # bytes of JSON that take seconds to read
OUTSIDE_SHARE = 0.01  # of the boxes; above it they are not in COCO's format


def check(root: str | Path, num_classes: int = NUM_CLASSES, sample: int = 20) -> Iterator[Finding]:
    """Look at ``root/annotations/instances_{train,val}2017.json`` and the images they name.

    Args:
        root: The data set's folder.
        num_classes: Categories expected; numbers of images are expected of COCO's 80 only.
        sample: How many images of each split to decode.
    """
    root = Path(root)
    yield from missing_folders(root, ['annotations', *NUM_IMAGES], ('coco', 'coco2017', 'COCO'))
    for split, expected in NUM_IMAGES.items():
        path = root / 'annotations' / f'instances_{split}.json'
        if not path.is_file():
            if (root / 'annotations').is_dir():
                yield Finding('error', f'{split}: expected {str(path)!r}, found no such file.')
            continue
        if path.stat().st_size > LARGE:
            yield Finding('note', f'{split}: reading {path.stat().st_size / 1e6:.0f} MB …')
        try:
            content = read_annotations(path)
        except ValueError as error:
            yield Finding('error', f'{split}: {error}')
            continue
        expected = expected if num_classes == NUM_CLASSES else None
        yield count_finding(f'{split}, in the annotations', len(content['images']), expected)
        yield _category_finding(split, content, num_classes)
        for finding in (*content_findings(content), *segmentation_findings(content)):
            yield Finding(finding.level, f'{split}: {finding.sentence}')
        if (root / split).is_dir():
            yield from _check_images(root / split, split, content['images'], sample)


def read_annotations(path: str | Path, labelled: bool = True) -> dict:
    """The content of an ``instances_*.json``, with the keys that mmdet reads in every entry.

    Args:
        path: The file.
        labelled: Whether there must be annotations; without, ``image_info_*.json`` will do.

    Raises:
        ValueError: If it is not complete JSON, or a list or a key of an entry is missing.
    """
    try:
        with open(path, encoding='utf-8') as file:
            content = json.load(file)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f'Expected complete JSON in {str(path)!r}, found it cut off or damaged ({error}); '
            'download or copy it again.'
        ) from error
    if not labelled and isinstance(content, dict) and not content.get('annotations'):
        content['annotations'] = []
    for key, required in REQUIRED.items():
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
            lacking = [name for name in required if name not in entry]
            if lacking:
                raise ValueError(
                    f'Expected {", ".join(required)} in every entry of {key!r} in {str(path)!r}, '
                    f'found entry {index} without {", ".join(lacking)}; add what is missing.'
                )
    return content


def content_findings(content: dict) -> Iterator[Finding]:
    """Ids, references and boxes of annotations that :func:`read_annotations` returned."""
    for key in REQUIRED:
        counts = Counter(entry['id'] for entry in content[key])
        repeated = [number for number, count in counts.items() if count > 1]
        if repeated:
            yield Finding(
                'error', f'Expected every id in {key!r} once, found repeated: {some(repeated)}.'
            )
    for key, named in (('images', 'image_id'), ('categories', 'category_id')):
        known = {entry['id'] for entry in content[key]}
        unknown = [a['id'] for a in content['annotations'] if a[named] not in known]
        if unknown:
            yield Finding(
                'error',
                f'Expected the {named} of every annotation in {key!r}, found {len(unknown):,} '
                f'annotations with an unknown one: id {some(unknown)}.',
            )
    yield from _box_findings(content)


def _box_findings(content: dict) -> Iterator[Finding]:
    """Boxes are ``[x, y, width, height]`` in pixels; one pixel outside is rounding."""
    sizes = {image['id']: (image['width'], image['height']) for image in content['images']}
    malformed, flat, outside = [], [], []
    for annotation in content['annotations']:
        box = annotation['bbox']
        if not isinstance(box, list) or len(box) != 4:
            malformed.append(annotation['id'])
            continue
        x, y, width, height = box
        limits = sizes.get(annotation['image_id'], (float('inf'), float('inf')))
        if width <= 0 or height <= 0:
            flat.append(annotation['id'])
        elif min(x, y) < -1 or x + width > limits[0] + 1 or y + height > limits[1] + 1:
            outside.append(annotation['id'])
    if malformed:
        yield Finding(
            'error',
            "Expected bbox as [x, y, width, height], found something else in the annotations' "
            f'ids {some(malformed)}.',
        )
    if flat:
        yield Finding(
            'warning',
            f'{len(flat):,} annotations have no width or height, mmdet leaves them out: '
            f'id {some(flat)}.',
        )
    if outside:
        many = len(outside) > OUTSIDE_SHARE * len(content['annotations'])
        yield Finding(
            'error' if many else 'warning',
            f'Expected boxes [x, y, width, height] inside their images, found {len(outside):,} of '
            f'{len(content["annotations"]):,} that reach out: id {some(outside)}.',
        )


def segmentation_findings(content: dict) -> Iterator[Finding]:
    """What a mask head needs."""
    without = [a['id'] for a in content['annotations'] if not a.get('segmentation')]
    if without:
        yield Finding(
            'error',
            f'Expected a segmentation in every annotation, as Mask R-CNN needs, found '
            f'{len(without):,} of {len(content["annotations"]):,} without: id {some(without)}.',
        )


def _category_finding(split: str, content: dict, num_classes: int) -> Finding:
    names = [category['name'] for category in content['categories']]
    if len(names) == num_classes:
        return Finding(
            'ok', f'{split}: {num_classes} categories, {len(content["annotations"]):,} annotations.'
        )
    return Finding(
        'error',
        f'{split}: expected {num_classes} categories, found {len(names)} ({some(names)}); '
        '--num-classes sets another number.',
    )


def _check_images(
    folder: Path, split: str, images: Sequence[dict], sample: int
) -> Iterator[Finding]:
    paths = {os.path.join(folder, image['file_name']): image for image in images}
    missing = missing_files(paths)
    if missing:
        yield Finding(
            'error',
            f'{split}: expected every image that the annotations list, found {len(missing):,} of '
            f'{len(paths):,} missing: {some(missing)}.',
        )
    gone, problems = set(missing), []
    sampled = evenly_spaced([path for path in paths if path not in gone], sample)
    for path in sampled:
        listed = paths[path]['width'], paths[path]['height']
        try:
            size = decode(path).size
        except ValueError as reason:
            problems.append(f'{path} cannot be decoded ({reason})')
            continue
        if size != listed:
            problems.append(
                f'{path} is {size[0]} × {size[1]} pixels, annotated as {listed[0]} × {listed[1]}'
            )
    if problems:
        yield Finding(
            'error',
            f'{split}: {len(problems)} of {len(sampled)} sampled images are wrong: '
            f'{some(problems)}.',
        )
    elif sampled:
        yield Finding(
            'ok', f'{split}: {len(sampled)} sampled images decode and have the annotated size.'
        )
