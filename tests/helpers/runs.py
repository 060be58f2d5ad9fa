"""Tiny pretraining runs from the project's own configs, and comparing what they wrote."""

from itertools import count as counter
from pathlib import Path

from mmengine.config import Config, ConfigDict

from .models import tiny_config
from .paths import ROOT

COUNTER = counter()


def run_config(folder: Path, work_dir: Path, total: int = 8, batch: int = 4, epochs: int = 2):
    """A config that pretrains the tiny BootMAE on the images of ``folder`` in float32 on a CPU,
    made of the project's own base files."""
    cfg = Config.fromfile(ROOT / 'configs/pretrain/bootmae_vitb_800e.py')
    cfg.train_dataloader.dataset.data_root = str(folder)
    shrink_run(cfg, work_dir, total, batch, epochs)
    return cfg


def shrink_run(cfg: Config, work_dir: Path, total: int = 8, batch: int = 4, epochs: int = 2):
    """A pretraining config with the tiny BootMAE on 32-pixel images."""
    cfg.model = ConfigDict(
        tiny_config(data_preprocessor=cfg.model.data_preprocessor, centre_weighting=True)
    )
    loader = cfg.train_dataloader
    loader.dataset.pipeline[1].scale = 32
    loader.dataset.pipeline[2] = dict(type='BlockwiseMasking', grid=4, num_masked=12)
    loader.update(batch_size=batch, num_workers=0, persistent_workers=False, pin_memory=False)
    loader.sampler.total_batch_size = cfg.custom_hooks.total_batch.total_batch_size = total
    cfg.optim_wrapper.update(dtype='float32')
    cfg.optim_wrapper.optimizer.lr = 1e-3
    cfg.train_cfg.max_epochs = epochs
    cfg.param_scheduler[0].end = cfg.param_scheduler[1].begin = 1
    cfg.param_scheduler[1].end = max(epochs, 2)
    cfg.default_hooks.logger.interval = 1
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f'{work_dir.name}_{next(COUNTER)}'
