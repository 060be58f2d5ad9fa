"""Made-up ADE20K and COCO folders of 8 pictures, and the dense configs at a size for them."""

import json
from itertools import count
from pathlib import Path

import numpy as np
from mmengine.config import Config, ConfigDict
from PIL import Image

from tests.helpers.configs import load

WIDTH, BLOCKS = 24, 4
SEG_CLASSES = ('wall', 'building', 'sky')  # labels 1 to 3 of ADE20K
DET_CLASSES = ('person', 'bicycle')
ARCH = dict(embed_dims=WIDTH, num_layers=BLOCKS, num_heads=3, feedforward_channels=2 * WIDTH)
# Odd sizes, upright and lying, none a multiple of 16.
SIZES = ((70, 90), (90, 70), (65, 65), (64, 130))
COUNTER = count()


def pictures(number: int, seed: int = 0):
    """Noise with a plain rectangle: ``(image, (left, top, width, height))`` for each."""
    rng = np.random.default_rng(seed)
    for index in range(number):
        height, width = SIZES[index % len(SIZES)]
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        left, top = 5 + index, 7 + index
        image[top : top + 40, left : left + 45] = rng.integers(0, 256, 3)
        yield image, (left, top, 45, 40)


def write_ade20k(root: Path, number: int = 8) -> Path:
    """Label 1 everywhere, label 2 in the rectangle, label 3 in a strip, no label in a corner."""
    for split in ('training', 'validation'):
        for kind in ('images', 'annotations'):
            (root / kind / split).mkdir(parents=True)
        for index, (image, (left, top, width, height)) in enumerate(pictures(number)):
            labels = np.ones(image.shape[:2], dtype=np.uint8)
            labels[top : top + height, left : left + width] = 2
            labels[-6:] = 3
            labels[:4, :4] = 0
            Image.fromarray(image).save(root / f'images/{split}/{index}.jpg')
            Image.fromarray(labels).save(root / f'annotations/{split}/{index}.png')
    return root


def write_coco(root: Path, number: int = 8) -> Path:
    """One object in each picture, of the two classes in turn."""
    (root / 'annotations').mkdir(parents=True)
    for split in ('train2017', 'val2017'):
        (root / split).mkdir()
        images, annotations = [], []
        for index, (image, (left, top, width, height)) in enumerate(pictures(number)):
            name = f'{index:012}.jpg'
            Image.fromarray(image).save(root / split / name)
            images.append(
                dict(id=index, file_name=name, height=image.shape[0], width=image.shape[1])
            )
            right, bottom = left + width, top + height
            annotations.append(
                dict(
                    id=index + 1,
                    image_id=index,
                    category_id=1 + index % 2,
                    bbox=[left, top, width, height],
                    area=width * height,
                    segmentation=[[left, top, right, top, right, bottom, left, bottom]],
                    iscrowd=0,
                )
            )
        categories = [dict(id=index + 1, name=name) for index, name in enumerate(DET_CLASSES)]
        content = dict(images=images, annotations=annotations, categories=categories)
        (root / f'annotations/instances_{split}.json').write_text(json.dumps(content))
    return root


def shrink_backbone(cfg: Config) -> None:
    """Four narrow blocks; the position embedding of 4 × 4 patches."""
    cfg.model.backbone.update(
        arch=ConfigDict(ARCH), img_size=64, out_indices=[0, 1, 2, 3], init_cfg=None
    )


def shrink_run(cfg: Config, work_dir: Path) -> None:
    """In float32, four pictures a step, loaded in the main process."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[name].update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.batch_size = cfg.custom_hooks.total_batch.total_batch_size = 4
    cfg.optim_wrapper.dtype = 'float32'
    cfg.default_hooks.logger.interval = 1
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f'{work_dir.name}_{next(COUNTER)}'


def tiny_seg(root: Path, work_dir: Path, name: str = 'seg/upernet_bootmae_vitb_160k') -> Config:
    """UperNet on 64-pixel crops for two iterations; ``root`` as :func:`write_ade20k` makes it."""
    cfg = load(name)
    for head in (cfg.model.decode_head, cfg.model.auxiliary_head):
        head.num_classes = len(SEG_CLASSES)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.update(data_root=str(root), metainfo=dict(classes=SEG_CLASSES))
    shrink_seg(cfg, work_dir)
    return cfg


def shrink_seg(cfg: Config, work_dir: Path) -> None:
    """A segmentation config for two iterations on 64-pixel crops."""
    shrink_backbone(cfg)
    cfg.model.data_preprocessor.size = (64, 64)
    cfg.model.neck.embed_dims = WIDTH
    cfg.model.decode_head.update(in_channels=[WIDTH] * 4, channels=8)
    cfg.model.auxiliary_head.update(in_channels=WIDTH, channels=8)
    cfg.model.test_cfg.update(crop_size=(64, 64), stride=(42, 42))
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        for step in loader.dataset.pipeline:
            shrink_step(step)
    for step in (step for group in cfg.tta_pipeline[1].transforms for step in group):
        shrink_step(step)
    shrink_run(cfg, work_dir)
    cfg.train_cfg.update(max_iters=2, val_interval=2)
    cfg.default_hooks.checkpoint.interval = 2
    cfg.param_scheduler[0].end = 1
    cfg.param_scheduler[1].end = 2


def shrink_step(step: ConfigDict) -> None:
    """A step of a segmentation pipeline at an eighth of its size."""
    for name in {'scale', 'crop_size'} & step.keys():
        size = step[name]
        step[name] = size // 8 if isinstance(size, int) else tuple(side // 8 for side in size)


def tiny_det(root: Path, work_dir: Path, name: str = 'det/mask_rcnn_bootmae_vitb_1x') -> Config:
    """Mask R-CNN on 64-pixel images for one epoch of two iterations; ``root`` as
    :func:`write_coco` makes it."""
    cfg = load(name)
    for head in filter(None, (cfg.model.roi_head.bbox_head, cfg.model.roi_head.mask_head)):
        head.num_classes = len(DET_CLASSES)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.update(data_root=str(root), metainfo=dict(classes=DET_CLASSES))
    cfg.val_evaluator.ann_file = cfg.test_evaluator.ann_file = str(
        root / 'annotations/instances_val2017.json'
    )
    shrink_det(cfg, work_dir)
    return cfg


def shrink_det(cfg: Config, work_dir: Path) -> None:
    """A detection config for one epoch on 64-pixel images."""
    shrink_backbone(cfg)
    model = cfg.model
    model.neck[0].embed_dims = WIDTH
    model.neck[1].update(in_channels=[WIDTH] * 4, out_channels=8)
    model.rpn_head.update(in_channels=8, feat_channels=8)
    head = model.roi_head
    head.bbox_roi_extractor.out_channels = 8
    head.bbox_head.update(in_channels=8, fc_out_channels=16)
    if head.mask_head:
        head.mask_roi_extractor.out_channels = 8
        head.mask_head.update(in_channels=8, conv_out_channels=8, num_convs=1)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        for step in loader.dataset.pipeline:
            if 'scale' in step:
                step.scale = (107, 64)
    shrink_run(cfg, work_dir)
    cfg.train_cfg.max_epochs = 1
