"""What built data sets hold, against the model that is to learn from them.

Data sets of mmseg and mmdet are recognised by the names of their classes, so that neither package
is needed. Files are looked up on local disks only; with ``://`` or ``backend_args`` they are left
to their storage.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from torch import nn

from ...data.files import some
from ...data.unreadable import ReplacesUnreadable
from ...engine.datasets import parts
from .coco import wrong_sizes
from .files import Finding, evenly_spaced, missing_files
from .labels import LabelRule, pair_findings

# Attributes that hold heads with the classes of the data set, in all three toolboxes.
HEADS = ('head', 'decode_head', 'auxiliary_head', 'bbox_head', 'mask_head')
LOADERS = ('LoadAnyImage', 'LoadImageFromFile')  # of three channels, if not told otherwise
SAMPLE = 20


def check_dataset(dataset, model: nn.Module, split: str) -> list[Finding]:
    """Check a data set, or all those inside a wrapper such as ``ConcatDataset``.

    Args:
        dataset: Data set of mmpretrain's, mmseg's or mmdet's base class; of another one nothing is
            known and nothing is checked.
        model: Classifier, segmentor or detector, without the wrapper of distributed training.
        split: 'train', 'val' or 'test', for the messages.

    Returns:
        Warnings: what is worth a look and may be meant.

    Raises:
        ValueError: At the first thing that is wrong.
    """
    warnings, num_classes = [], head_classes(model)
    _check_channels(dataset, model, split)
    for part in parts(dataset):
        kinds = {base.__name__ for base in type(part).__mro__}
        if kinds & {'BaseSegDataset', 'SegmentationFolders'}:
            _check_number_of_classes(part, num_classes, split)
            warnings += _check_segmentation(part, num_classes, split)
        elif kinds & {'BaseDetDataset', 'CocoInstances'}:
            _check_number_of_classes(part, num_classes, split)
            _check_detection(part, getattr(model, 'with_mask', False), split)
        elif 'CustomDataset' in kinds:
            _check_number_of_classes(part, num_classes, split)
            _check_classification(part, num_classes, split)
    return warnings


def check_same_classes(train, val) -> None:
    """Check that two data sets number their classes alike, where both name them.

    Raises:
        ValueError: If they do not.
    """
    names = [_classes(dataset) for dataset in (train, val)]
    if None in names or names[0] == names[1]:
        return
    differing = sorted(set(names[0]) ^ set(names[1]))
    raise ValueError(
        'Expected the same classes in the same order in the train and val data sets, found '
        f'{len(names[0])} and {len(names[1])}, '
        + (f'different ones: {some(differing)}' if differing else 'in another order')
        + '; correct metainfo or the class folders.'
    )


def head_classes(model: nn.Module) -> dict[str, int]:
    """Names of a model's heads and the number of classes of each."""
    found = {}
    for name, module in model.named_modules():
        attributes = [part for part in name.split('.') if not part.isdigit()]
        number = getattr(module, 'num_classes', None)
        if attributes and attributes[-1] in HEADS and isinstance(number, int):
            found[name] = number
    return found


def _check_channels(dataset, model: nn.Module, split: str) -> None:
    """Pictures have three channels, whatever is in the files."""
    channels = getattr(getattr(model, 'backbone', None), 'in_channels', 3)
    pipelines = [getattr(part, 'pipeline', None) for part in parts(dataset)]
    steps = [step for pipeline in pipelines for step in getattr(pipeline, 'transforms', ())]
    if channels != 3 and any(type(step).__name__ in LOADERS for step in steps):
        raise ValueError(
            f'Expected model.backbone.in_channels=3, as pictures of the {split} data set are read '
            f'with three channels (grey ones with three alike), found {channels}; leave it at 3, '
            'and mean and std of data_preprocessor at three values.'
        )


def _classes(dataset) -> tuple[str, ...] | None:
    names = getattr(dataset, 'metainfo', {}).get('classes')
    return None if names is None else tuple(names)


def _infos(dataset) -> Iterator[dict]:
    for index in range(len(dataset)):
        yield dataset.get_data_info(index)


def _check_number_of_classes(dataset, num_classes: dict[str, int], split: str) -> None:
    names = _classes(dataset)
    for head, number in num_classes.items():
        if names is not None and number != len(names):
            raise ValueError(
                f'Expected {number} classes in the {split} data set, as {head}.num_classes says, '
                f'found {len(names)} in its metainfo: {some(names)}; set num_classes={len(names)} '
                'everywhere in the model, or correct metainfo or the class folders.'
            )


def _is_local(dataset, path: str) -> bool:
    return '://' not in path and not getattr(dataset, 'backend_args', None)


def _check_files(dataset, paths: Sequence[str], what: str, split: str) -> None:
    """Look up what a list, or mmseg's folder of images, says there is."""
    source = repr(dataset.ann_file) if dataset.ann_file else 'the folder of images'
    local = [path for path in paths if _is_local(dataset, path)]
    missing = missing_files(local)
    if missing:
        raise ValueError(
            f'Expected every {what} that {source} names in the {split} data set, found '
            f'{len(missing):,} of {len(local):,} missing: {some(missing)}; correct data_root and '
            'data_prefix or the list, or unpack the data again.'
        )


def _check_classification(dataset, num_classes: dict[str, int], split: str) -> None:
    paths, labels = [], []
    for info in _infos(dataset):
        paths.append(info['img_path'])
        labels.append(info.get('gt_label'))
    if dataset.ann_file:
        _check_files(dataset, paths, 'image', split)
    for head, number in num_classes.items():
        unlabelled = [path for path, label in zip(paths, labels, strict=True) if label is None]
        if unlabelled and split == 'train':
            raise ValueError(
                f'Expected a label for every image of the train data set, as {head} needs them, '
                f'found {len(unlabelled):,} without: {some(unlabelled)}; set with_label=True.'
            )
        wrong = [
            f'{label} for {path!r}'
            for path, several in zip(paths, labels, strict=True)
            for label in ([] if several is None else np.ravel(several))
            if not 0 <= label < number
        ]
        if wrong:
            raise ValueError(
                f'Expected labels 0 to {number - 1} in the {split} data set, as {head}.num_classes '
                f'is {number}, found {some(wrong)}; correct num_classes or the labels.'
            )


def _check_segmentation(dataset, num_classes: dict[str, int], split: str) -> list[Finding]:
    infos = list(_infos(dataset))
    _check_files(dataset, [info['img_path'] for info in infos], 'image', split)
    maps = [info for info in infos if info.get('seg_map_path')]
    _check_files(dataset, [info['seg_map_path'] for info in maps], 'label map', split)
    pairs = [
        (info['img_path'], info['seg_map_path'])
        for info in maps
        if _is_local(dataset, info['seg_map_path'])
    ]
    if not num_classes or not pairs:
        return []
    number = min(num_classes.values())
    if number == 1:
        raise ValueError(
            'Expected at least 2 classes to tell apart, found 1 in num_classes of the heads, whose '
            'loss is 0 whatever they say; make the background a class, too: labels 0 and 1 with '
            'reduce_zero_label=False, or 1 and 2.'
        )
    rule = LabelRule(
        number,
        dataset.reduce_zero_label,
        dataset.label_map,
        _classes(dataset),
        dataset.ignore_index,
    )
    replaces = isinstance(dataset, ReplacesUnreadable) and not dataset.test_mode
    findings = [*pair_findings(pairs, rule, split, SAMPLE, replaces)]
    errors = [finding.sentence for finding in findings if finding.level == 'error']
    if errors:
        raise ValueError(errors[0])
    return [finding for finding in findings if finding.level == 'warning']


def _check_detection(dataset, with_mask: bool, split: str) -> None:
    paths, without_mask, sizes, num_instances = [], [], {}, 0
    for info in _infos(dataset):
        paths.append(info['img_path'])
        sizes[info['img_path']] = info['width'], info['height']
        num_instances += len(info['instances'])
        if with_mask and any('mask' not in instance for instance in info['instances']):
            without_mask.append(info['img_path'])
    _check_files(dataset, paths, 'image', split)
    if not num_instances and split != 'test':
        raise ValueError(
            f'Expected instances of the classes {some(_classes(dataset) or ())} in the {split} '
            f'data set, found none in the {len(paths):,} images of {dataset.ann_file!r}; set '
            "metainfo=dict(classes=...) to the file's categories."
        )
    if without_mask:
        raise ValueError(
            f'Expected a segmentation for every instance of the {split} data set, as the model has '
            f'a mask head, found instances without in {len(without_mask):,} images of '
            f'{dataset.ann_file!r}: {some(without_mask)}; take a file with segmentation or a '
            'detector without mask head (configs/det/faster_rcnn_bootmae_vitb_1x.py).'
        )
    sampled = evenly_spaced([path for path in sizes if _is_local(dataset, path)], SAMPLE)
    if wrong := wrong_sizes({path: sizes[path] for path in sampled})[0]:
        raise ValueError(
            f'Expected images of the {split} data set in the size that {dataset.ann_file!r} says, '
            f'found {len(wrong)} of {len(sampled)} sampled that are not: {some(wrong)}; annotate '
            'the upright images.'
        )
