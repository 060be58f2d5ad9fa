"""Pictures to measure on where a config's own data is not there.

JPEG files of the usual sizes and bytes, in the layout that the config's data set reads. Few
different ones under many names: what is in them matters little to the time they take.
"""

import json
import os
from pathlib import Path

import numpy as np
from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, DefaultScope
from PIL import Image

from .photographs import photograph

DISTINCT = 16
OBJECTS = 7  # in an average picture of COCO


def generate_data(cfg: Config, root: Path, count: int) -> str:
    """Write ``count`` pictures below ``root``, and point the config's training set to them.

    Args:
        cfg: A config; its ``train_dataloader.dataset`` is changed in place.
        root: An empty folder.
        count: Number of file names.

    Returns:
        What they are, in words.

    Raises:
        ValueError: If it is a data set of another kind than the project's configs have.
    """
    dataset, scope = cfg.train_dataloader.dataset, cfg.get('default_scope')
    missing = dataset.get('data_root')
    if dataset.type == 'UnlabelledImages':
        size = write_pictures(root / 'train', (500, 375), count)
        dataset.data_root = str(root / 'train')
    elif scope == 'mmpretrain':
        size = write_pictures(root / 'train/class', (500, 375), count)
        cfg.train_dataloader.dataset = ConfigDict(
            type='ImageFolders',
            data_root=str(root),
            split='train',
            pipeline=dataset.pipeline,
        )
    elif dataset.type in ('ADE20K', 'SegmentationFolders', 'ADE20KDataset'):
        size = write_pictures(root / dataset.data_prefix.img_path, (683, 512), count)
        built = build_empty(scope, dataset)
        write_label_maps(
            root / dataset.data_prefix.seg_map_path,
            size,
            count,
            len(built.metainfo['classes']),
            int(built.reduce_zero_label),
        )
        dataset.data_root = str(root)
    elif dataset.type in ('CocoDataset', 'CocoInstances'):
        size = write_pictures(root / dataset.data_prefix.img, (640, 480), count)
        classes = list(build_empty(scope, dataset).metainfo['classes'])
        write_instances(root / dataset.ann_file, size, count, classes)
        dataset.data_root = str(root)
    else:
        raise ValueError(
            f'Expected the training set of a {dataset.type} at {missing!r}, found no '
            'such folder, and pictures can be generated for classification, ADE20K and COCO '
            'only; set train_dataloader.dataset.data_root.'
        )
    return f'generated JPEGs of {size[0]} × {size[1]}, as there is no {missing!r}'


def write_pictures(folder: Path, size: tuple[int, int], count: int) -> tuple[int, int]:
    """``count`` JPEG files of ``size`` (width, height), which is returned."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        path = folder / f'{index:06}.jpg'
        if index < DISTINCT:
            photograph(rng, *size).save(path, quality=90)
        else:
            os.link(folder / f'{index % DISTINCT:06}.jpg', path)
    return size


def write_label_maps(
    folder: Path, size: tuple[int, int], count: int, num_classes: int, first: int = 1
) -> None:
    """Rectangles with labels from ``first`` up, 1 as ADE20K has them."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    for index in range(count):
        path = folder / f'{index:06}.png'
        if index < DISTINCT:
            labels = Image.fromarray(
                rng.integers(first, num_classes + first, (8, 10), dtype=np.uint8)
            )
            labels.resize(size, Image.Resampling.NEAREST).save(path)
        else:
            os.link(folder / f'{index % DISTINCT:06}.png', path)


def write_instances(path: Path, size: tuple[int, int], count: int, classes: list[str]) -> None:
    """COCO's annotation file: rectangles of up to half the side."""
    rng = np.random.default_rng(2)
    images, annotations = [], []
    for image in range(count):
        name = f'{image:06}.jpg'
        images.append(dict(id=image, file_name=name, width=size[0], height=size[1]))
        for category in rng.integers(1, len(classes) + 1, OBJECTS).tolist():
            width, height = (rng.uniform(0.1, 0.5, 2) * size).round().tolist()
            left, top = (rng.uniform(0, 0.5, 2) * size).round().tolist()
            right, bottom = left + width, top + height
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=image,
                    category_id=category,
                    bbox=[left, top, width, height],
                    area=width * height,
                    segmentation=[[left, top, right, top, right, bottom, left, bottom]],
                    iscrowd=0,
                )
            )
    categories = [dict(id=number, name=name) for number, name in enumerate(classes, start=1)]
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))


def build_empty(scope: str, dataset: ConfigDict) -> BaseDataset:
    """A data set that knows its classes, with nothing loaded."""
    with DefaultScope.overwrite_default_scope(scope):
        return DATASETS.build({**dataset, 'pipeline': [], 'lazy_init': True})
