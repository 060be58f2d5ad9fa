"""Fine-tuning: the recipe's numbers, what the stack makes of them, and a run of the config."""

import argparse
import math
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from mmpretrain.datasets.transforms import RandAugment
from mmpretrain.models import LabelSmoothLoss
from mmpretrain.models.utils.batch_augments import RandomBatchAugment
from mmpretrain.registry import MODELS, TRANSFORMS
from PIL import Image

from bootmae_mm.command_line import add_config_arguments, load_config
from bootmae_mm.data.errors import DataError
from bootmae_mm.engine.build import build_runner
from bootmae_mm.engine.hooks import hook_list
from bootmae_mm.engine.layer_decay import LayerDecayConstructor
from bootmae_mm.engine.total_batch import accumulation
from tests.helpers.labelled_data import tiny_run, write_pictures
from tests.helpers.mixed_folders import report_rows
from tests.helpers.paths import ROOT

RECIPES = {
    'bootmae_vitb_finetune_100e': dict(
        epochs=100, warmup=20, total=2048, lr=5e-3, decay=0.6, width=768, depth=12
    ),
    'bootmae_vitl_finetune_50e': dict(
        epochs=50, warmup=5, total=1024, lr=1.5e-3, decay=0.75, width=1024, depth=24
    ),
}


def load(name: str) -> Config:
    return Config.fromfile(ROOT / f'configs/finetune/{name}.py')


def build(cfg: Config):
    """The model without memory for its weights."""
    with torch.device('meta'):
        return MODELS.build(deepcopy(cfg.model))


def test_every_config_is_in_the_table():
    assert {path.stem for path in (ROOT / 'configs/finetune').glob('*.py')} == set(RECIPES)


@pytest.mark.parametrize('name, recipe', RECIPES.items())
def test_the_schedule_of_the_recipe(name, recipe):
    cfg = load(name)
    assert cfg.train_cfg.max_epochs == recipe['epochs']
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ('AdamW', recipe['lr'], 0.05)
    assert tuple(optimizer.betas) == (0.9, 0.999)
    assert cfg.optim_wrapper.paramwise_cfg == dict(layer_decay_rate=recipe['decay'])
    assert (cfg.optim_wrapper.type, cfg.optim_wrapper.dtype) == ('AutocastOptimWrapper', 'bfloat16')
    total, average, data, images = hook_list(cfg.custom_hooks)
    assert (data.type, images.type) == ('DataCheckHook', 'ImageReportHook')
    assert total == dict(type='TotalBatchHook', total_batch_size=recipe['total'])
    assert accumulation(recipe['total'], cfg.train_dataloader.batch_size, 8) == 1
    assert average.type == 'OptimizerStepEMAHook'
    assert average.momentum == pytest.approx(0.0002, rel=1e-9)
    assert cfg.default_hooks.param_scheduler.type == 'OptimizerStepSchedulerHook'
    assert cfg.randomness == dict(seed=0, diff_rank_seed=True)


@pytest.mark.parametrize('name, recipe', RECIPES.items())
def test_the_model_of_the_recipe(name, recipe):
    model = build(load(name))
    backbone, head = model.backbone, model.head
    assert (backbone.embed_dims, backbone.num_layers) == (recipe['width'], recipe['depth'])
    assert (backbone.out_type, backbone.final_norm) == ('avg_featmap', False)
    assert [layer.attn.out_drop.drop_prob for layer in backbone.layers] == pytest.approx(
        np.linspace(0, 0.1, recipe['depth'])
    )
    assert (head.fc.in_features, head.fc.out_features) == (recipe['width'], 1000)
    assert head.loss_module.label_smooth_val == 0.1
    preprocessor = load(name).model.data_preprocessor
    assert list(preprocessor.mean) == list(preprocessor.std) == [127.5] * 3


@pytest.mark.parametrize('name, recipe', RECIPES.items())
def test_every_depth_has_the_releases_learning_rate(name, recipe):
    """The release makes one schedule of absolute rates and multiplies it by each depth's scale."""
    cfg, length = load(name), 6
    wrapper_cfg = dict(cfg.optim_wrapper)
    constructor = LayerDecayConstructor(wrapper_cfg, wrapper_cfg.pop('paramwise_cfg'))
    wrapper_cfg.pop('constructor')
    constructor.wrapper_cfg = dict(type='OptimWrapper')
    wrapper = constructor(build(cfg))
    schedulers = []
    for item in deepcopy(cfg.param_scheduler):
        assert item.pop('by_epoch') and item.pop('convert_to_iter_based')
        kind = PARAM_SCHEDULERS.get(item.pop('type'))
        schedulers.append(
            kind.build_iter_from_epoch(
                optimizer=wrapper, epoch_length=length, by_epoch=True, **item
            )
        )
    first, last = wrapper.param_groups[0], wrapper.param_groups[-1]
    scale = recipe['decay'] ** (recipe['depth'] + 1)
    warmup, steps = recipe['warmup'] * length, recipe['epochs'] * length
    for step in range(steps):
        if step < warmup:
            rate = recipe['lr'] * step / (warmup - 1)
        else:
            phase = math.pi * (step - warmup) / (steps - warmup)
            rate = 1e-6 + (recipe['lr'] - 1e-6) * (1 + math.cos(phase)) / 2
        # mmengine's warm-up may stand at its end for a step, hence the tolerance
        assert last['lr'] == pytest.approx(rate, rel=2e-3, abs=1e-8)
        assert first['lr'] == pytest.approx(scale * rate, rel=2e-3, abs=scale * 1e-8)
        for scheduler in schedulers:
            scheduler.step()
    assert last['lr'] == pytest.approx(1e-6, rel=0.06)
    assert first['lr'] == pytest.approx(scale * 1e-6, rel=0.06)


def test_the_head_starts_a_thousandth_of_its_size():
    cfg = load('bootmae_vitb_finetune_100e')
    head = MODELS.build(cfg.model.head)
    head.init_weights()
    assert head.fc.weight.std().item() == pytest.approx(0.02 * 0.001, rel=0.02)
    assert not head.fc.bias.any()


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
    settings = load('bootmae_vitb_finetune_100e').model.head.loss
    loss = LabelSmoothLoss(settings.label_smooth_val, mode=settings.mode)(
        logits, mixed, avg_factor=5
    )
    torch.testing.assert_close(loss, expected)


def test_mixup_or_cutmix_for_every_batch():
    augment = RandomBatchAugment(**load('bootmae_vitb_finetune_100e').model.train_cfg)
    images, labels = torch.randn(4, 3, 8, 8), torch.eye(4)
    alphas = {type(part).__name__: part.alpha for part in augment.augments}
    assert alphas == {'Mixup': 0.8, 'CutMix': 1.0}
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
    settings = dict(load('bootmae_vitb_finetune_100e').train_pipeline[3])
    assert settings.pop('type') == 'RandAugment'
    assert (settings['num_policies'], settings['magnitude_level']) == (2, 9)
    assert (settings['magnitude_std'], settings['total_level']) == (0.5, 10)
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
    settings = dict(load('bootmae_vitb_finetune_100e').train_pipeline[4])
    assert settings['erase_prob'] == 0.25
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
    cfg = load('bootmae_vitb_finetune_100e')
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
    cfg = tiny_run('finetune/bootmae_vitb_finetune_100e', root, tmp_path / 'run')
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
    cfg = tiny_run('finetune/bootmae_vitb_finetune_100e', root, tmp_path / 'run', total=4, batch=2)
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
