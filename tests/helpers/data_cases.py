"""Small sound data of all three tasks, ways to damage it, and stand-ins for models."""

import json
import re
from pathlib import Path

import numpy as np
from mmdet.registry import DATASETS as DET_DATASETS
from mmpretrain.registry import DATASETS
from mmseg.registry import DATASETS as SEG_DATASETS
from numpy.typing import ArrayLike
from PIL import Image
from torch import nn

from tests.helpers.dense_data import DET_CLASSES, SEG_CLASSES, write_ade20k, write_coco
from tests.helpers.images import write_images

TRAIN_JSON = 'annotations/instances_train2017.json'


def write_flowers(root: Path) -> Path:
    """Two class folders of three images, and a list of two of these images."""
    for index, name in enumerate(('iris', 'rose')):
        write_images(root / name, 3, seed=index)
    (root / 'list.txt').write_text('iris/000.png 0\nrose/000.png 1\n')
    return root


def image_config(root: Path, **changes) -> dict:
    return {'type': 'CustomDataset', 'data_root': str(root), 'pipeline': [], **changes}


def seg_config(root: Path, **changes) -> dict:
    return {
        'type': 'ADE20KDataset',
        'data_root': str(root),
        'data_prefix': dict(img_path='images/training', seg_map_path='annotations/training'),
        'metainfo': dict(classes=SEG_CLASSES),
        'pipeline': [],
        **changes,
    }


def det_config(root: Path, **changes) -> dict:
    return {
        'type': 'CocoDataset',
        'data_root': str(root),
        'ann_file': TRAIN_JSON,
        'data_prefix': dict(img='train2017/'),
        'metainfo': dict(classes=DET_CLASSES),
        'pipeline': [],
        **changes,
    }


class Head(nn.Module):
    """As much of a head as the checks look at."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes


def classifier(num_classes: int = 2) -> nn.Module:
    return nn.ModuleDict({'head': Head(num_classes)})


def segmentor(num_classes: int = 3) -> nn.Module:
    return nn.ModuleDict({'decode_head': Head(num_classes)})


def detector(num_classes: int = 2, with_mask: bool = True) -> nn.Module:
    heads = {'bbox_head': nn.ModuleList([Head(num_classes)]), 'mask_head': Head(num_classes)}
    model = nn.ModuleDict({'roi_head': nn.ModuleDict(heads), 'rpn_head': Head(1)})
    model.with_mask = with_mask
    return model


def edit_json(root: Path, change) -> None:
    path = root / TRAIN_JSON
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def without_segmentation(content: dict) -> None:
    del content['annotations'][2]['segmentation']


def labels(root: Path, value: ArrayLike, dtype: type = np.uint8, channels: tuple = ()) -> None:
    array = np.full((70, 90, *channels), value, dtype)
    Image.fromarray(array).save(root / 'annotations/training/0.png')


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


TASKS = {
    'image': (write_flowers, image_config, 'mmpretrain'),
    'seg': (write_ade20k, seg_config, 'mmseg'),
    'det': (write_coco, det_config, 'mmdet'),
}

BUILDERS = {'image': DATASETS, 'seg': SEG_DATASETS, 'det': DET_DATASETS}
MODELS_OF = {'image': classifier, 'seg': segmentor, 'det': detector}


def assert_one_sentence(error: Exception, expected: str) -> None:
    message = str(error)
    assert re.search(expected, message), message
    assert '\n' not in message and message.endswith('.')
    assert re.search(r'\b[Ee]xpected\b.*\bfound\b', message)
