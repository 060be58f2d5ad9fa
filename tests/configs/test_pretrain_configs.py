"""The demo's configs share an encoder; every ablation builds from an edit."""

import pytest
from mmpretrain.registry import MODELS

from tests.helpers.configs import build, load


@pytest.mark.parametrize('name', ['pretrain', 'finetune', 'segment', 'detect'])
def test_the_demo_configs_share_one_encoder(name):
    def encoder_of(config: str):
        return MODELS.build(load(f'demo/{config}').model.backbone)

    encoder, pretrained = encoder_of(name), encoder_of('pretrain')
    shapes = {k: v.shape for k, v in encoder.state_dict().items() if not k.startswith('ln')}
    expected = {k: v.shape for k, v in pretrained.state_dict().items() if not k.startswith('ln')}
    assert shapes == expected


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
    cfg = load('pretrain/bootmae_vitb_300e')
    cfg.merge_from_dict(edit)
    model = build(cfg)
    for key, value in edit.items():
        part = key.split('.')[1]
        assert (getattr(model, part, None) is None) == (value is None and key.count('.') == 1), key
