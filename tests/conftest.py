"""What several test files share: tiny models, images and masks, all seeded."""

from itertools import count as counter
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from PIL import Image

import bootmae_mm  # noqa: F401  (registers everything)

DATA = Path(__file__).parent / 'data'
ROOT = Path(__file__).parent.parent
# For BASH_ENV: a script's child has ended before the script first asks whether it is there, which
# happens only by chance otherwise.
CHILD_ENDS_FIRST = """
set -T
trap '[[ $BASH_COMMAND != kill* ]] || while [[ -d /proc/$child ]]; do :; done' DEBUG
"""
COUNTER = counter()


def tiny_config(**changes) -> dict:
    """A BootMAE on 32-pixel images: 4 × 4 patches of 8 pixels, 3 blocks of width 24."""
    config = dict(
        type='BootMAE',
        backbone=dict(
            type='BootMAEViT',
            arch=dict(embed_dims=24, num_layers=3, num_heads=3, feedforward_channels=48),
            img_size=32,
            patch_size=8,
        ),
        regressor=dict(type='TargetAwareDecoder', embed_dims=16, depth=2, context_layer=0),
        pixel_head=dict(type='PixelHead'),
        predictor=dict(type='TargetAwareDecoder', depth=2, context_layer=-1),
        feature_head=dict(type='FeatureHead'),
        teacher=dict(type='MomentumTeacher'),
    )
    return {**config, **changes}


def build_tiny(seed: int = 0, **changes) -> torch.nn.Module:
    """The tiny BootMAE, initialised from a seed."""
    torch.manual_seed(seed)
    model = MODELS.build(tiny_config(**changes))
    model.init_weights()
    return model


def random_samples(batch: int, num_patches: int = 16, num_masked: int = 12, seed: int = 0) -> list:
    """Data samples with random masks."""
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(num_patches) for _ in range(batch)]
    split = num_patches - num_masked
    return [DataSample(ids_visible=order[:split], ids_masked=order[split:]) for order in orders]


def write_images(folder: Path, count: int, seed: int = 0) -> Path:
    """PNG files of random smooth colours, 40 × 36 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for index in range(count):
        small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        small.resize((40, 36), Image.Resampling.BICUBIC).save(folder / f'{index:03}.png')
    return folder


def run_config(folder: Path, work_dir: Path, total: int = 8, batch: int = 4, epochs: int = 2):
    """A config that pretrains the tiny BootMAE on the images of ``folder`` in float32 on a CPU,
    made of the project's own base files."""
    cfg = Config.fromfile(ROOT / 'configs/pretrain/bootmae_vitb_800e.py')
    cfg.model = ConfigDict(
        tiny_config(data_preprocessor=cfg.model.data_preprocessor, centre_weighting=True)
    )
    loader = cfg.train_dataloader
    loader.dataset.data_root = str(folder)
    loader.dataset.pipeline[1].scale = 32
    loader.dataset.pipeline[2] = dict(type='BlockwiseMasking', grid=4, num_masked=12)
    loader.update(batch_size=batch, num_workers=0, persistent_workers=False, pin_memory=False)
    loader.sampler.total_batch_size = cfg.custom_hooks[0].total_batch_size = total
    cfg.optim_wrapper.update(dtype='float32')
    cfg.optim_wrapper.optimizer.lr = 1e-3
    cfg.train_cfg.max_epochs = epochs
    cfg.param_scheduler[0].end = cfg.param_scheduler[1].begin = 1
    cfg.param_scheduler[1].end = max(epochs, 2)
    cfg.default_hooks.logger.interval = 1
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f'{work_dir.name}_{next(COUNTER)}'
    return cfg


@pytest.fixture
def images() -> torch.Tensor:
    """Two normalised 32-pixel images."""
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def seed_everything():
    """Every test starts from the same random state."""
    torch.manual_seed(0)
    np.random.seed(0)
