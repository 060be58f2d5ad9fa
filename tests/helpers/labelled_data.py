"""Tiny labelled pictures, and the classification configs cut down to them."""

from importlib.util import module_from_spec, spec_from_file_location
from itertools import count
from pathlib import Path
from types import ModuleType

import numpy as np
from mmengine.config import Config, ConfigDict
from PIL import Image

from tests.helpers.paths import ROOT

CLASSES = ('blue', 'green', 'red')
COUNTER = count()


def write_pictures(root: Path, per_class: int = 4, seed: int = 0) -> Path:
    """``{train,val}/<class>/<n>.png``, 40 × 36 pixels in the class's colour with noise."""
    rng = np.random.default_rng(seed)
    for split in ('train', 'val'):
        for label, name in enumerate(CLASSES):
            folder = root / split / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(per_class):
                picture = rng.integers(0, 160, (36, 40, 3), dtype=np.uint8)
                picture[..., 2 - label] += 95
                Image.fromarray(picture).save(folder / f'{number}.png')
    return root


def tiny_run(name: str, root: Path, work_dir: Path, total: int = 4, batch: int = 4) -> Config:
    """A config of the project for 2 epochs of a 3-block encoder on a CPU, in float32, with whatever
    else it has: augmentation, schedule, hooks, evaluation."""
    cfg = Config.fromfile(ROOT / f'configs/{name}.py')
    cfg.model.data_preprocessor.num_classes = len(CLASSES)
    for part in (cfg.model.head, cfg.model.head.get('head', {})):
        if 'num_classes' in part:
            part.num_classes = len(CLASSES)
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.dataset = ConfigDict(
            type='ImageFolders',
            data_root=str(root),
            data_prefix='train' if split == 'train' else 'val',
            pipeline=loader.dataset.pipeline,
        )
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        evaluator.topk = (1,)
    shrink_run(cfg, work_dir, total, batch)
    return cfg


def shrink_run(cfg: Config, work_dir: Path, total: int = 4, batch: int = 4) -> None:
    """A classification config for 2 epochs on 32-pixel images."""
    arch = dict(embed_dims=24, num_layers=3, num_heads=3, feedforward_channels=48)
    cfg.model.backbone.update(arch=arch, img_size=32, patch_size=8, init_cfg=None)
    if 'out_indices' in cfg.model.backbone:
        cfg.model.backbone.out_indices = [2]
    if 'blocks' in cfg.model.head:
        cfg.model.head.blocks, cfg.model.backbone.out_indices = [1, 2, 3], [0, 1, 2]
    for part in (cfg.model.head, cfg.model.head.get('head', {})):
        if 'in_channels' in part:
            part.in_channels = 24
    for part in (cfg.model.get('neck'), cfg.model.head.get('neck')):
        if part:
            part.input_features = 24
    for split, size in (('train', batch), ('val', 5), ('test', 5)):
        loader = cfg[f'{split}_dataloader']
        loader.dataset.pipeline = shrink(loader.dataset.pipeline)
        loader.update(batch_size=size, num_workers=0, persistent_workers=False, pin_memory=False)
    cfg.custom_hooks.total_batch.total_batch_size = total
    cfg.optim_wrapper.dtype = 'float32'
    cfg.train_cfg.max_epochs = cfg.param_scheduler[1].end = 2
    cfg.param_scheduler[0].end = cfg.param_scheduler[1].begin = 1
    cfg.default_hooks.logger.interval = 1
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f'{work_dir.name}_{next(COUNTER)}'


def load_tool(name: str) -> ModuleType:
    """A command line of tools/ as a module: a process of its own takes long to import torch."""
    spec = spec_from_file_location(f'tool_{name}', ROOT / f'tools/{name}.py')
    tool = module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def shrink(pipeline: list[dict]) -> list[dict]:
    """The same transforms for 32-pixel images."""
    sizes = {'RandomResizedCrop': dict(scale=32), 'CenterCrop': dict(crop_size=32)}
    sizes['ResizeEdge'] = dict(scale=36)
    return [{**step, **sizes.get(step['type'], {})} for step in pipeline]
