"""Fine-tuning: what the stack makes of the recipe, and a run of the config."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmpretrain.datasets.transforms import RandAugment
from mmpretrain.models import LabelSmoothLoss
from mmpretrain.models.utils.batch_augments import RandomBatchAugment
from mmpretrain.registry import TRANSFORMS
from PIL import Image

from bootmae_mm.command_line import add_config_arguments, load_config
from bootmae_mm.data.errors import DataError
from bootmae_mm.engine.build import build_runner
from bootmae_mm.engine.hooks import hook_list
from tests.helpers.configs import load
from tests.helpers.labelled_data import tiny_run, write_pictures
from tests.helpers.mixed_folders import report_rows
from tests.helpers.paths import ROOT

FINETUNE = 'finetune/bootmae_vitb_finetune_100e'


def test_hooks_and_seed():
    cfg = load(FINETUNE)
    types = [hook.type for hook in hook_list(cfg.custom_hooks)]
    assert types == ['TotalBatchHook', 'OptimizerStepEMAHook', 'DataCheckHook', 'ImageReportHook']
    assert cfg.default_hooks.param_scheduler.type == 'OptimizerStepSchedulerHook'
    assert cfg.randomness == dict(seed=0, diff_rank_seed=True)


def test_smoothing_after_mixing_is_smoothing_before():
    """timm smooths the two labels, then mixes them; mmpretrain mixes, then smooths."""
    classes, lam, smoothing = 7, 0.3, 0.1
    logits, labels = torch.randn(5, classes), torch.randint(classes, (2, 5))
    off = smoothing / classes
    first, second = (torch.full((5, classes), off) for _ in range(2))
    for row in range(5):
        first[row, labels[0, row]] = second[row, labels[1, row]] = 1 - smoothing + off
    target = lam * first + (1 - lam) * second
    expected = -(target * logits.log_softmax(dim=1)).sum(dim=1).mean()
    mixed = lam * F.one_hot(labels[0], classes) + (1 - lam) * F.one_hot(labels[1], classes)
    settings = load(FINETUNE).model.head.loss
    loss = LabelSmoothLoss(settings.label_smooth_val, mode=settings.mode)(
        logits, mixed, avg_factor=5
    )
    torch.testing.assert_close(loss, expected)


def test_mixup_or_cutmix_for_every_batch():
    augment = RandomBatchAugment(**load(FINETUNE).model.train_cfg)
    images, labels = torch.randn(4, 3, 8, 8), torch.eye(4)
    times_mixed = 0
    for _ in range(200):
        images_after, labels_after = augment(images.clone(), labels)
        torch.testing.assert_close(labels_after.sum(dim=1), torch.ones(4))
        # cutmix takes every pixel from one of the images, mixup (nearly) none
        taken = (images_after[:, None] == images).all(dim=2).any(dim=1)
        times_mixed += not taken.all()
    assert 70 < times_mixed < 130


def test_rand_augment_is_timms():
    """Strength of each operation at level 9 of 10, by timm's formulas for its 'increasing' set."""
    settings = dict(load(FINETUNE).train_pipeline[3])
    assert settings.pop('type') == 'RandAugment'
    strengths = dict(
        Rotate=27.0, Posterize=4 - 3.6, Solarize=256 - 0.9 * 256, SolarizeAdd=99, Shear=0.27,
        ColorTransform=0.81, Contrast=0.81, Brightness=0.81, Sharpness=0.81, Translate=0.405,
    )  # fmt: skip
    operations = list(RandAugment(**{**settings, 'magnitude_std': 0}))
    names = [type(operation).__name__ for operation in operations]
    # shear and translation once for each direction
    assert sorted(names) == sorted(
        [*strengths, 'AutoContrast', 'Equalize', 'Invert', 'Shear', 'Translate']
    )
    for name, operation in zip(names, operations, strict=True):
        assert operation.prob == 0.5
        if name in strengths:
            assert operation.random_magnitude() == pytest.approx(strengths[name])
        if name in ('Rotate', 'Shear', 'Translate'):
            assert tuple(operation.pad_val) == (128, 128, 128)
            assert operation.interpolation == 'bicubic'


def test_erased_areas_are_noise_about_the_mean():
    settings = dict(load(FINETUNE).train_pipeline[4])
    eraser = TRANSFORMS.build({**settings, 'erase_prob': 1.0})
    blank = np.zeros((512, 512, 3), np.uint8)
    patch = eraser._fill_pixels(blank, 0, 0, 512, 512)
    normal = (np.random.default_rng(0).normal(size=1_000_000) * 127.5 + 127.5).clip(0, 255)
    assert patch.mean() == pytest.approx(normal.mean(), abs=1)
    assert patch.std() == pytest.approx(normal.std(), abs=1)


def test_evaluation_crops_the_centre_of_256_pixels(tmp_path):
    """Against Pillow: shorter side to 256, bicubic, the middle 224."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (10, 16, 3), dtype=np.uint8))
    image = small.resize((500, 400), Image.Resampling.BICUBIC)
    image.save(tmp_path / 'a.png')
    cfg = load(FINETUNE)
    assert cfg.val_dataloader.dataset.pipeline == cfg.test_dataloader.dataset.pipeline
    results = dict(img_path=str(tmp_path / 'a.png'))
    init_default_scope('mmpretrain')
    for step in cfg.val_dataloader.dataset.pipeline:
        results = TRANSFORMS.build(step)(results)
    resized = np.asarray(image.resize((320, 256), Image.Resampling.BICUBIC))
    expected = resized[16:240, 48:272, ::-1].transpose(2, 0, 1).astype(int)
    assert results['inputs'].shape == (3, 224, 224)
    assert np.abs(results['inputs'].numpy().astype(int) - expected).max() <= 1


def test_one_bad_file_ends_validation_but_not_training(tmp_path):
    """With workers, out of whose processes both come."""
    root = write_pictures(tmp_path / 'data')
    (root / 'train/red/1.png').write_text('<html>404 Not Found</html>')
    cfg = tiny_run(FINETUNE, root, tmp_path / 'run')
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.num_workers = 1
    cfg.train_cfg.val_interval = 2
    runner = build_runner(cfg)
    runner.register_hook(Spoil(root / 'val/red/0.png'))
    with pytest.raises(DataError) as error:
        runner.train()
    assert runner.iter == 6, 'both epochs'
    assert '\n' not in str(error.value) and 'val/red/0.png' in str(error.value)
    ((what, path, _),) = report_rows(tmp_path / 'run')
    assert (what, path) == ('skipped', str(root / 'train/red/1.png'))


class Spoil(Hook):
    """Damages a file once training has begun."""

    def __init__(self, path: Path):
        self.path = path

    def after_train_epoch(self, runner) -> None:
        self.path.write_bytes(b'')


def test_a_run_of_the_config(tmp_path):
    """Mixing, averaging over optimiser steps and evaluation of the average, with accumulation."""
    root = write_pictures(tmp_path / 'data')
    cfg = tiny_run(FINETUNE, root, tmp_path / 'run', total=4, batch=2)
    cfg.custom_hooks.ema.momentum = 0.25
    cfg.randomness.deterministic = True
    seen = []

    runner = build_runner(cfg)
    preprocess = runner.model.data_preprocessor.batch_augments.__call__

    def record(inputs, scores):
        mixed = preprocess(inputs, scores)
        seen.append(mixed[1])
        return mixed

    runner.model.data_preprocessor.batch_augments = record
    weights, step = [], runner.model.train_step

    def train_step(data, optim_wrapper):
        losses = step(data, optim_wrapper)
        weights.append(runner.model.head.fc.weight.detach().clone())
        return losses

    runner.model.train_step = train_step
    runner.train()
    assert len(seen) == len(weights) == 12  # 2 epochs of 6 batches: 6 optimiser steps
    assert any(((scores > 0) & (scores < 1)).any() for scores in seen)
    after_steps = weights[1::2]
    assert all(torch.equal(a, b) for a, b in zip(weights[1:-1:2], weights[2::2], strict=True))
    average = after_steps[0]
    for weight in after_steps[1:]:
        average = 0.75 * average + 0.25 * weight
    checkpoint = torch.load(tmp_path / 'run/epoch_2.pth', weights_only=False)
    torch.testing.assert_close(checkpoint['state_dict']['head.fc.weight'], average)
    trained = checkpoint['ema_state_dict']['module.head.fc.weight']
    torch.testing.assert_close(trained, after_steps[-1])
    assert list((tmp_path / 'run').glob('best_accuracy_top1_epoch_*.pth'))


def test_from_scratch_is_an_edit():
    parser = argparse.ArgumentParser()
    add_config_arguments(parser)
    path = str(ROOT / 'configs/finetune/bootmae_vitb_finetune_100e.py')

    def initialisation(edit: str):
        args = parser.parse_args([path, '--cfg-options', f'model.backbone.{edit}'])
        return load_config(args).model.backbone.init_cfg

    assert initialisation('init_cfg=None') is None
    assert initialisation('init_cfg.checkpoint=a.pth') == dict(
        type='PretrainedEncoder', checkpoint='a.pth'
    )
