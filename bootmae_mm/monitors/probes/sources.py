"""The labelled data of the probes."""

from collections.abc import Callable, Mapping
from functools import partial
from numbers import Integral
from typing import NamedTuple

import torch
from mmengine.dataset import default_collate
from mmpretrain.registry import DATASETS
from torch.utils.data import DataLoader, Dataset, Subset

from ...data.files import some
from ...engine.resume.workers import shield
from ...preflight.data.datasets import check_same_classes
from ...preflight.data.files import evenly_spaced
from .frozen import FrozenEncoder
from .image import ImageProbe
from .segmentation import SegmentationProbe

Probe = ImageProbe | SegmentationProbe


class Source(NamedTuple):
    """What is learned from, what is judged by, and how to build the probe of an encoder."""

    train: Dataset
    val: Dataset
    probe: Callable[[FrozenEncoder], Probe]


def image_source(cfg: Mapping, img_size: tuple[int, int], limit: int, k: int) -> Source:
    """Labelled images.

    Args:
        cfg: Configs of mmpretrain's data sets, ``train`` and ``val``; one without a pipeline gets
            :func:`default_pipeline`.
        img_size: Height and width that the encoder takes.
        limit: Most images of each of the two, evenly spaced, so that a data set that is sorted by
            class gives as many of each.
        k: Number of neighbours.

    Raises:
        ValueError: If data is missing, has no labels, or has images of another size; if there are
            fewer train images than neighbours, or a class among the val images that no train
            image has.
    """
    pipeline = dict(pipeline=default_pipeline(img_size))
    whole = {
        split: build({**pipeline, **cfg[split]}, f'images.{split}') for split in ('train', 'val')
    }
    check_same_classes(whole['train'], whole['val'])
    parts, labels = {}, {}
    for split, dataset in whole.items():
        indices = evenly_spaced(range(len(dataset)), limit)
        labels[split] = {label_of(dataset, index, split) for index in indices}
        parts[split] = Subset(dataset, indices)
        check_sample(parts[split], f'images.{split}', img_size)
    unseen = sorted(labels['val'] - labels['train'])
    if unseen:
        raise ValueError(
            f'Expected train images of every class of the val images of OnlineProbeHook, found '
            f'none of {some(unseen)} among {len(parts["train"]):,}; raise max_images, or correct '
            'the lists.'
        )
    if len(parts['train']) < k:
        raise ValueError(
            f'Expected k of at most the {len(parts["train"])} train images of OnlineProbeHook, '
            f'found {k}; lower it.'
        )
    num_classes = max(labels['train']) + 1
    return Source(**parts, probe=partial(ImageProbe, num_classes=num_classes, k=k))


def map_source(cfg: Mapping, img_size: tuple[int, int], limit: int) -> Source:
    """Images with label maps.

    Args:
        cfg: Configs of data sets, ``train`` and ``val``: :class:`.label_maps.LabelMapFolders`, or
            mmseg's with ``mmseg.`` before every name of its own and images and labels of one size
            at the end of the pipeline.
        img_size: Height and width that the encoder takes.
        limit: Most images of each of the two, evenly spaced.

    Raises:
        ValueError: If data is missing, images or labels have another size, or the two have
            different classes.
    """
    parts, counts = {}, {}
    for split in ('train', 'val'):
        setting = f'segmentation.{split}'
        dataset = build(cfg[split], setting)
        counts[split] = num_classes_of(dataset, setting)
        parts[split] = Subset(dataset, evenly_spaced(range(len(dataset)), limit))
        check_sample(parts[split], setting, img_size)
        check_labels(parts[split], setting, img_size)
    if counts['train'] != counts['val']:
        raise ValueError(
            'Expected as many classes in segmentation.train as in segmentation.val of '
            f'OnlineProbeHook, found {counts["train"]} and {counts["val"]}; correct one of them.'
        )
    return Source(**parts, probe=partial(SegmentationProbe, num_classes=counts['train']))


def loader(dataset: Dataset, batch_size: int, num_workers: int) -> DataLoader:
    """Batches in order, in this process alone, with random numbers of their own."""
    return shield(
        DataLoader(
            dataset,
            batch_size=batch_size,
            num_workers=num_workers,
            collate_fn=default_collate,
            generator=torch.Generator(),
        )
    )


def default_pipeline(img_size: tuple[int, int]) -> list[dict]:
    """Resize and crop the centre as is usual: 224 of 256 pixels, or in that ratio."""
    height, width = img_size
    return [
        dict(type='LoadAnyImage'),
        dict(
            type='ResizeEdge',
            scale=round(max(img_size) * 256 / 224),
            edge='short',
            backend='pillow',
            interpolation='bicubic',
        ),
        dict(type='CenterCrop', crop_size=(width, height)),
        dict(type='PackInputs'),
    ]


def build(cfg: Mapping, setting: str) -> Dataset:
    """The data set of a config.

    Raises:
        ValueError: If it does not find its data.
    """
    try:
        return DATASETS.build(dict(cfg))
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f'Expected a data set as {setting} of OnlineProbeHook, found: {error}; correct its '
            'paths.'
        ) from error


def label_of(dataset: Dataset, index: int, split: str) -> int:
    """The class of an image.

    Raises:
        ValueError: If it has none, or several.
    """
    if not hasattr(dataset, 'get_data_info'):
        raise ValueError(
            f'Expected a labelled data set of mmpretrain as images.{split} of OnlineProbeHook, '
            f'found {type(dataset).__name__}; take CustomDataset or ImageNet, for example.'
        )
    label = dataset.get_data_info(index).get('gt_label')
    if not isinstance(label, Integral):
        raise ValueError(
            f'Expected one label for every image of images.{split} of OnlineProbeHook, found '
            f'{label} for image {index}; set with_label=True, or correct the list.'
        )
    return int(label)


def num_classes_of(dataset: Dataset, setting: str) -> int:
    """The number of classes that a data set for segmentation names."""
    names = getattr(dataset, 'metainfo', {}).get('classes')
    number = getattr(dataset, 'num_classes', None) if names is None else len(names)
    if number is None:
        raise ValueError(
            f'Expected a data set with num_classes or metainfo.classes as {setting} of '
            f'OnlineProbeHook, found {type(dataset).__name__} without; add it.'
        )
    return number


def check_sample(dataset: Dataset, setting: str, img_size: tuple[int, int]) -> None:
    """Look at the first image's size.

    Raises:
        ValueError: If it is not the encoder's, or there is no image.
    """
    if not len(dataset):
        raise ValueError(
            f'Expected images in {setting} of OnlineProbeHook, found none; correct its paths.'
        )
    size = tuple(dataset[0]['inputs'].shape[-2:])
    if size != img_size:
        raise ValueError(
            f'Expected images of {img_size} pixels at the end of the pipeline of {setting} of '
            f'OnlineProbeHook, as the encoder was built for, found {size}; change its pipeline or '
            'img_size.'
        )


def check_labels(dataset: Dataset, setting: str, img_size: tuple[int, int]) -> None:
    """Look at the first label map's size.

    Raises:
        ValueError: If it is not the image's, or there is no label map.
    """
    label_map = getattr(dataset[0]['data_samples'], 'gt_sem_seg', None)
    size = None if label_map is None else tuple(label_map.data.shape[1:])
    if size != img_size:
        raise ValueError(
            f'Expected label maps of {img_size} pixels, as the images, in {setting} of '
            f'OnlineProbeHook, found {size}; load the annotations before images are resized.'
        )
