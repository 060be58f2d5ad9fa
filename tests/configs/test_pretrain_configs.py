"""The recipes hold what the paper and the release say; every ablation builds from an edit."""

import math

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS
from mmpretrain.registry import MODELS

from bootmae_mm.engine.hooks import hook_list
from bootmae_mm.engine.total_batch import accumulation
from tests.helpers.paths import ROOT

RECIPES = {
    'bootmae_vitb_200e': dict(epochs=200, floor=1e-4, width=768, depth=12, decays=3),
    'bootmae_vitb_300e': dict(epochs=300, floor=1e-4, width=768, depth=12, decays=3),
    'bootmae_vitb_400e': dict(epochs=400, floor=1e-4, width=768, depth=12, decays=3),
    'bootmae_vitb_800e': dict(epochs=800, floor=1e-4, width=768, depth=12, decays=3),
    'bootmae_vitb_1600e': dict(epochs=1600, floor=1e-4, width=768, depth=12, decays=3),
    'bootmae_vitl_300e': dict(epochs=300, floor=1e-5, width=1024, depth=24, decays=2),
    'bootmae_vitl_800e': dict(epochs=800, floor=1e-5, width=1024, depth=24, decays=2),
}


def load(name: str) -> Config:
    return Config.fromfile(ROOT / f'configs/pretrain/{name}.py')


def build(cfg: Config):
    """The model without memory for its weights."""
    with torch.device('meta'):
        return MODELS.build(cfg.model)


def test_every_pretraining_config_is_in_the_table():
    files = {path.stem for path in (ROOT / 'configs/pretrain').glob('*.py')}
    assert files == set(RECIPES)


@pytest.mark.parametrize('name, recipe', RECIPES.items())
def test_the_recipe(name, recipe):
    cfg = load(name)
    assert cfg.train_cfg.max_epochs == recipe['epochs']
    optimizer = cfg.optim_wrapper.optimizer
    assert optimizer.lr == pytest.approx(2.4e-3)
    assert (tuple(optimizer.betas), optimizer.weight_decay) == ((0.9, 0.95), 0.05)
    assert cfg.optim_wrapper.dtype == 'bfloat16'
    hooks = {hook.type: hook for hook in hook_list(cfg.custom_hooks)}
    assert hooks['TotalBatchHook'].total_batch_size == 4096
    milestones = [(0, 0.999), (100, 0.9999), (400, 0.99999)][: recipe['decays']]
    assert [tuple(pair) for pair in hooks['MomentumTeacherHook'].milestones] == milestones
    assert (hooks['FeatureWeightHook'].weight, hooks['FeatureWeightHook'].ramp) == (1.0, 0.25)
    loader = cfg.train_dataloader
    assert loader.sampler.total_batch_size == 4096
    assert accumulation(4096, loader.batch_size, 8) in (2, 4)
    crop, masks = loader.dataset.pipeline[1:3]
    assert (crop.type, crop.scale, tuple(crop.crop_ratio_range)) == (
        'RandomCropFlip', 224, (0.2, 1.0),
    )  # fmt: skip
    assert (masks.num_masked, masks.num_blocked, tuple(masks.block_size)) == (147, 120, (16, 60))


@pytest.mark.parametrize('name, recipe', RECIPES.items())
def test_the_model(name, recipe):
    model = build(load(name))
    assert (model.backbone.embed_dims, model.backbone.num_layers) == (
        recipe['width'], recipe['depth'],
    )  # fmt: skip
    assert (model.regressor.context_layer, model.predictor.context_layer) == (
        0, recipe['depth'] - 1,
    )  # fmt: skip
    assert len(model.regressor.blocks) == len(model.predictor.blocks) == 2
    assert model.regressor.embed.out_features == 512
    assert (
        model.predictor.embed.out_features == model.predictor.head.out_features == recipe['width']
    )
    preprocessor = load(name).model.data_preprocessor
    assert list(preprocessor.mean) == list(preprocessor.std) == [127.5] * 3


@pytest.mark.parametrize('name, recipe', RECIPES.items())
def test_the_learning_rate(name, recipe):
    """Linear from 0 over 40 epochs, then one cosine to the floor, against the closed form."""
    cfg, length = load(name), 8
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.4e-3)
    schedulers = []
    for item in cfg.param_scheduler:
        item = dict(item)
        assert item.pop('by_epoch') and item.pop('convert_to_iter_based')
        scheduler = PARAM_SCHEDULERS.get(item.pop('type'))
        schedulers.append(
            scheduler.build_iter_from_epoch(
                optimizer=OptimWrapper(optimizer), epoch_length=length, by_epoch=True, **item
            )
        )
    epochs, floor = recipe['epochs'], recipe['floor']
    for step in range(epochs * length):
        epoch = step / length
        if epoch < 40:
            expected = 2.4e-3 * step / (40 * length - 1)
        else:
            phase = math.pi * (epoch - 40) / (epochs - 40)
            expected = floor + (2.4e-3 - floor) * (1 + math.cos(phase)) / 2
        assert optimizer.param_groups[0]['lr'] == pytest.approx(expected, rel=1e-3, abs=1e-8)
        for scheduler in schedulers:
            scheduler.step()


@pytest.mark.parametrize('name', ['pretrain', 'finetune', 'linear', 'segment', 'detect'])
def test_the_demo_configs_share_one_encoder(name):
    def encoder_of(config: str):
        return MODELS.build(Config.fromfile(ROOT / f'configs/demo/{config}.py').model.backbone)

    encoder, pretrained = encoder_of(name), encoder_of('pretrain')
    shapes = {k: v.shape for k, v in encoder.state_dict().items() if not k.startswith('ln')}
    expected = {k: v.shape for k, v in pretrained.state_dict().items() if not k.startswith('ln')}
    assert shapes == expected
    trained = any(p.requires_grad for p in encoder.parameters())
    assert trained == (name != 'linear')


@pytest.mark.parametrize(
    'edit',
    [
        {'model.predictor': None, 'model.feature_head': None, 'model.teacher': None},
        {'model.regressor': None, 'model.pixel_head': None},
        {'model.regressor.context_layer': None, 'model.predictor.context_layer': None},
        {'model.regressor.context_layer': 5, 'model.predictor.context_layer': 0},
        {'model.regressor.depth': 8, 'model.predictor.depth': 8},
        {'model.regressor.embed_dims': 256},
        {'model.teacher.fraction': 0.25},
        {'model.pixel_head.norm': 'patch'},
        {'model.centre_weighting': False},
        {'model.backbone.arch': 'small'},
        {'model.backbone.arch': 'huge', 'model.backbone.patch_size': 14},
        {'model.backbone.img_size': (192, 256)},
    ],
)
def test_an_ablation_is_an_edit(edit):
    cfg = load('bootmae_vitb_300e')
    cfg.merge_from_dict(edit)
    model = build(cfg)
    for key, value in edit.items():
        part = key.split('.')[1]
        assert (getattr(model, part, None) is None) == (value is None and key.count('.') == 1), key
