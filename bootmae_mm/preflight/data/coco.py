"""Images with instances in the folders of COCO 2017."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ...data.coco_file import category_ids, instances_of, read_instances
from ...data.files import some
from ...data.reading import UnreadableImage, read_with_pillow
from .files import Finding, count_finding, evenly_spaced, missing_files, missing_folders

LAYOUT = """\
coco/
    annotations/instances_train2017.json
    annotations/instances_val2017.json
    train2017/<image>.jpg     118,287 images, or any other of your own
    val2017/<image>.jpg         5,000 images"""

NUM_CLASSES = 80
NUM_IMAGES = {'train2017': 118_287, 'val2017': 5_000}
LARGE = 100_000_000  # bytes of JSON that take seconds to read
OUTSIDE_SHARE = 0.3  # of the boxes; above it they are not in COCO's format
Splits = Mapping[str, tuple[Path, Path]]  # annotation file and folder of images


def check(
    root: str | Path,
    num_classes: int | None = None,
    sample: int = 20,
    classes: Sequence[str] | None = None,
    with_mask: bool | None = None,
    splits: Splits | None = None,
) -> Iterator[Finding]:
    """Look at ``root/annotations/instances_{train,val}2017.json`` and the images they name.

    Args:
        root: The data set's folder.
        num_classes: Categories expected; by default as many as there are. Numbers of images are
            expected of COCO's 80 only.
        sample: How many images of each split to decode.
        classes: Names of the categories to take; by default all.
        with_mask: Whether every instance needs a segmentation; None if that is not known.
        splits: Annotation files and folders of images by name, if they are others.
    """
    if splits is None:
        root = Path(root)
        yield from missing_folders(root, ['annotations', *NUM_IMAGES], ('coco', 'coco2017', 'COCO'))
        splits = {
            split: (root / 'annotations' / f'instances_{split}.json', root / split)
            for split in NUM_IMAGES
            if (root / 'annotations').is_dir()
        }
    found = {}
    for split, (path, folder) in splits.items():
        try:
            yield from _size_findings(split, path)
            content, repairs = read_instances(path)
        except (ValueError, FileNotFoundError) as error:
            yield Finding('error', f'{split}: {error}')
            continue
        found[split] = {category['name'] for category in content['categories']}
        expected = NUM_IMAGES.get(split) if len(found[split]) == NUM_CLASSES else None
        yield count_finding(f'{split}, in the annotations', len(content['images']), expected)
        for finding in (
            *(Finding('note', sentence) for sentence in repairs),
            *content_findings(content),
            *segmentation_findings(content, with_mask),
            *class_findings(content, path, classes, num_classes),
        ):
            yield Finding(finding.level, f'{split}: {finding.sentence}')
        if folder.is_dir():
            yield from _check_images(folder, split, content['images'], sample)
    if classes is None and len(found) == 2:
        yield from _same_categories(*found.values())


def _size_findings(split: str, path: Path) -> Iterator[Finding]:
    if not path.is_file():
        raise FileNotFoundError(f'expected {str(path)!r}, found no such file.')
    if path.stat().st_size > LARGE:
        yield Finding('note', f'{split}: reading {path.stat().st_size / 1e6:.0f} MB …')


def _same_categories(train: set[str], val: set[str]) -> Iterator[Finding]:
    if differing := sorted(train ^ val):
        yield Finding(
            'error',
            'Expected the same categories in the train and the val file, found only in one of '
            f'them: {some(differing)}.',
        )


def content_findings(content: Mapping) -> Iterator[Finding]:
    """Ids, references and boxes of annotations that :func:`.coco_file.read_instances` returned."""
    for key in ('images', 'annotations', 'categories'):
        counts = Counter(entry['id'] for entry in content[key])
        repeated = [number for number, count in counts.items() if count > 1]
        if repeated:
            yield Finding(
                'error', f'Expected every id in {key!r} once, found repeated: {some(repeated)}.'
            )
    counts = Counter(category['name'] for category in content['categories'])
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        yield Finding(
            'error',
            f'Expected every name of a category once, found repeated: {some(repeated)}; rename or '
            'merge them.',
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
    if content['annotations']:
        yield from _box_findings(content)


def _box_findings(content: Mapping) -> Iterator[Finding]:
    """Boxes are ``[x, y, width, height]`` in pixels; one pixel outside is rounding."""
    annotations = content['annotations']
    boxes = np.array([a['bbox'] for a in annotations], float)
    known = {image['id']: (image['width'], image['height']) for image in content['images']}
    sizes = np.array([known.get(a['image_id'], (np.inf, np.inf)) for a in annotations], float)
    if boxes.max() <= 1 and sizes.min() > 1:
        yield Finding(
            'error',
            f'Expected boxes [x, y, width, height] in pixels, found all {len(boxes):,} within 0 '
            'and 1, as shares of the image; multiply them by its width and height (in YOLO’s files '
            'x and y are those of the centre).',
        )
        return
    far = boxes[:, :2] + boxes[:, 2:]
    outside = ((boxes[:, :2] < -1) | (far > sizes + 1)).any(1)
    if not outside.any():
        return
    corners = ((boxes[:, 2:] > boxes[:, :2]) & (boxes[:, 2:] <= sizes + 1)).all()
    many = outside.mean() > OUTSIDE_SHARE
    advice = '; are they [left, top, right, bottom]?' if many and corners else '.'
    ids = [annotations[index]['id'] for index in np.flatnonzero(outside)]
    yield Finding(
        'error' if many else 'warning',
        f'Expected boxes [x, y, width, height] inside their images, found {len(ids):,} of '
        f'{len(boxes):,} that reach out: id {some(ids)}{advice}',
    )


def segmentation_findings(content: Mapping, with_mask: bool | None = True) -> Iterator[Finding]:
    """What a mask head needs, if there is one (None: not known); and masks of another size than
    their image."""
    annotations = content['annotations']
    without = [a['id'] for a in annotations if not a.get('segmentation')]
    if without and with_mask is not False:
        yield Finding(
            'error' if with_mask else 'warning',
            f'Expected a segmentation in every annotation, as Mask R-CNN needs, found '
            f'{len(without):,} of {len(annotations):,} without: id {some(without)}; take a '
            'detector without mask head (configs/det/faster_rcnn_bootmae_vitb_1x.py).',
        )
    sizes = {image['id']: [image['height'], image['width']] for image in content['images']}
    masks = [a for a in annotations if isinstance(a.get('segmentation'), dict)]
    wrong = [a['id'] for a in masks if a['segmentation'].get('size') != sizes.get(a['image_id'])]
    if wrong and with_mask is not False:
        yield Finding(
            'error',
            'Expected run lengths of a segmentation with the size [height, width] of the image, '
            f'found {len(wrong):,} of another: id {some(wrong)}.',
        )
    points = [a['id'] for a in annotations if _is_without_area(a)]
    if points and with_mask is not False:
        yield Finding(
            'warning',
            f'{len(points):,} annotations have polygons of less than three points only, a mask '
            f'head ignores them: id {some(points)}.',
        )
    relative = [a['id'] for a in annotations if _is_relative(a)]
    if relative and with_mask is not False:
        yield Finding(
            'error',
            f'Expected polygons in pixels, found {len(relative):,} within 0 and 1 in larger boxes, '
            f'as shares of the image: id {some(relative)}; multiply them by its width and height.',
        )


def _is_without_area(annotation: Mapping) -> bool:
    parts = annotation.get('segmentation')
    return isinstance(parts, list) and bool(parts) and max(map(len, parts)) < 6


def _is_relative(annotation: Mapping) -> bool:
    parts = annotation.get('segmentation')
    return (
        isinstance(parts, list)
        and bool(parts)
        and max(annotation['bbox'][2:]) > 2
        and max(map(max, filter(None, parts)), default=2) <= 1
    )


def class_findings(
    content: Mapping,
    path: str | Path,
    classes: Sequence[str] | None = None,
    num_classes: int | None = None,
) -> Iterator[Finding]:
    """Which categories there are, and instances that training leaves out."""
    names = {category['id']: category['name'] for category in content['categories']}
    used = Counter(annotation['category_id'] for annotation in content['annotations'])
    count = f'{len(content["annotations"]):,} annotations'
    ids = list(names)
    if classes is not None:
        try:
            ids = category_ids(content, classes, path)
        except ValueError as error:
            yield Finding('error', str(error))
            return
    elif num_classes is not None and num_classes not in (len(names), len(used)):
        yield Finding(
            'error',
            f'expected {num_classes} categories, found {len(names)} ({some([*names.values()])}); '
            '--num-classes sets another number.',
        )
        return
    empty = [names[number] for number in ids if number not in used]
    if empty:
        yield Finding(
            'warning',
            f'{len(empty)} of {len(ids)} categories have no annotation: {some(empty)}; leave out '
            'of metainfo.classes and num_classes what is not to be learned.',
        )
    else:
        yield Finding('ok', f'{len(ids)} categories, {count}.')
    for sentence in instances_of(content, set(ids))[1]:
        yield Finding('warning', sentence)


def _check_images(
    folder: Path, split: str, images: Sequence[Mapping], sample: int
) -> Iterator[Finding]:
    paths = {os.path.join(folder, image['file_name']): image for image in images}
    missing = missing_files(paths)
    if missing:
        yield Finding(
            'error',
            f'{split}: expected every image that the annotations list, found {len(missing):,} of '
            f'{len(paths):,} missing: {some(missing)}.',
        )
    gone = set(missing)
    sampled = evenly_spaced([path for path in paths if path not in gone], sample)
    listed = {path: (paths[path]['width'], paths[path]['height']) for path in sampled}
    wrong, unreadable = wrong_sizes(listed)
    if problems := [*unreadable, *wrong]:
        yield Finding(
            'error',
            f'{split}: {len(problems)} of {len(sampled)} sampled images are wrong: '
            f'{some(problems)}.',
        )
    elif sampled:
        yield Finding(
            'ok', f'{split}: {len(sampled)} sampled images decode and have the annotated size.'
        )


def wrong_sizes(listed: Mapping[str, tuple[int, int]]) -> tuple[list[str], list[str]]:
    """Read images as training does, upright.

    Args:
        listed: Width and height that annotations say by the path of the image.

    Returns:
        What is wrong with the sizes, and which files cannot be read.
    """
    wrong, unreadable = [], []
    for path, expected in listed.items():
        try:
            height, width, _ = read_with_pillow(path)[0].shape
        except UnreadableImage as reason:
            unreadable.append(f'{path} cannot be decoded ({" ".join(str(reason).split())})')
            continue
        if (width, height) != expected:
            turned = ' upright, as EXIF asks,' if (height, width) == expected else ''
            wrong.append(
                f'{path} is {width} × {height} pixels{turned} but annotated as {expected[0]} × '
                f'{expected[1]}'
            )
    return wrong, unreadable
