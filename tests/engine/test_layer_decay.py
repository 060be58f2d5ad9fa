"""Learning rate and weight decay of every parameter of a classifier, a segmentor and a detector."""

import re

import pytest
import torch
from mmdet.registry import MODELS as DETECTORS
from mmengine.config import ConfigDict
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS, DefaultScope
from mmpretrain.registry import MODELS as CLASSIFIERS
from mmseg.registry import MODELS as SEGMENTORS
from torch import nn

import bootmae_mm.transfer  # noqa: F401
from bootmae_mm.engine.layer_decay import LayerDecayConstructor

BASE, RATE, DECAY, BLOCKS = 4e-4, 0.65, 0.05, 4
NORM_TYPES = nn.LayerNorm, nn.modules.batchnorm._BatchNorm
DENSE = dict(out_type='featmap', out_indices=[0, 1, 2, 3], final_norm=False)
PYRAMID = dict(type='FourScalePyramid', embed_dims=16)


def backbone(**kwargs) -> dict:
    """A ViT that has every kind of parameter: trained tokens, relative positions, layer scale."""
    arch = dict(embed_dims=16, num_layers=BLOCKS, num_heads=2, feedforward_channels=32)
    return dict(
        type='mmpretrain.BootMAEViT',
        arch=arch,
        img_size=32,
        patch_size=16,
        relative_position_bias=True,
        train_pos_embed=True,
        layer_scale_init_value=1.0,
        **kwargs,
    )


def classifier(**kwargs) -> nn.Module:
    vit = {**backbone(out_type='avg_featmap'), **kwargs}
    head = dict(type='LinearClsHead', num_classes=3, in_channels=16)
    return CLASSIFIERS.build(dict(type='ImageClassifier', backbone=vit, head=head))


def segmentor() -> nn.Module:
    common = dict(num_classes=3, norm_cfg=dict(type='BN'), channels=8)
    config = dict(
        type='EncoderDecoder',
        backbone=backbone(**DENSE),
        neck=PYRAMID,
        decode_head=dict(type='UPerHead', in_channels=[16] * 4, in_index=[0, 1, 2, 3], **common),
        auxiliary_head=dict(type='FCNHead', in_channels=16, in_index=2, **common),
    )
    with DefaultScope.overwrite_default_scope('mmseg'):
        return SEGMENTORS.build(config)


def detector() -> nn.Module:
    boxes = dict(type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[1.0] * 4)
    extractor = dict(
        type='SingleRoIExtractor',
        roi_layer=dict(type='RoIAlign', output_size=2, sampling_ratio=0),
        out_channels=8,
        featmap_strides=[4, 8, 16, 32],
    )
    roi = dict(in_channels=8, num_classes=3)
    anchors = dict(type='AnchorGenerator', scales=[8], ratios=[1.0], strides=[4, 8, 16, 32, 64])
    fpn = dict(type='FPN', in_channels=[16] * 4, out_channels=8, num_outs=5)
    bbox_head = dict(
        type='Shared2FCBBoxHead', roi_feat_size=2, fc_out_channels=8, bbox_coder=boxes, **roi
    )
    config = dict(
        type='MaskRCNN',
        backbone=backbone(**DENSE),
        neck=[PYRAMID, fpn],
        rpn_head=dict(
            type='RPNHead',
            in_channels=8,
            feat_channels=8,
            anchor_generator=anchors,
            bbox_coder=boxes,
        ),
        roi_head=dict(
            type='StandardRoIHead',
            bbox_roi_extractor=extractor,
            bbox_head=bbox_head,
            mask_roi_extractor=extractor,
            mask_head=dict(type='FCNMaskHead', num_convs=1, conv_out_channels=8, **roi),
        ),
        train_cfg=None,
        test_cfg=dict(rpn=None, rcnn=None),
    )
    with DefaultScope.overwrite_default_scope('mmdet'):
        return DETECTORS.build(ConfigDict(config))


MODELS = dict(classifier=classifier, segmentor=segmentor, detector=detector)


def construct(model: nn.Module, rate: float = RATE, **more):
    constructor = OPTIM_WRAPPER_CONSTRUCTORS.build(
        dict(
            type='LayerDecayConstructor',
            optim_wrapper_cfg=dict(optimizer=dict(type='AdamW', lr=BASE, weight_decay=DECAY)),
            paramwise_cfg=dict(layer_decay_rate=rate, **more),
        )
    )
    return constructor(model).optimizer


def settings(optimizer) -> dict[int, tuple[float, float]]:
    """Learning rate and weight decay by the identity of the parameter."""
    groups = optimizer.param_groups
    return {id(p): (g['lr'], g['weight_decay']) for g in groups for p in g['params']}


def expected(model: nn.Module) -> dict[str, tuple[float, float]]:
    """The rule again, from names and the types of the modules that own the parameters."""
    modules = dict(model.named_modules())
    rule = {}
    for name, p in model.named_parameters():
        block = re.match(r'backbone\.layers\.(\d+)\.', name)
        if re.match(r'backbone\.(patch_embed|cls_token|pos_embed|mask_token)', name):
            exponent = BLOCKS + 1
        else:
            exponent = BLOCKS - int(block[1]) if block else 0
        owner, _, leaf = name.rpartition('.')
        spared = leaf in ('bias', 'cls_token', 'pos_embed', 'relative_position_bias_table')
        spared = spared or isinstance(modules[owner], NORM_TYPES) or 'gamma' in name
        if p.requires_grad:
            rule[name] = BASE * RATE**exponent, 0.0 if spared else DECAY
    return rule


@pytest.mark.parametrize('kind', MODELS)
def test_every_parameter_of_the_real_models_follows_the_rule(kind):
    model = MODELS[kind]()
    optimizer = construct(model)
    found, rule = settings(optimizer), expected(model)
    params = dict(model.named_parameters())
    assert found.keys() == {id(params[name]) for name in rule}
    for name, wanted in rule.items():
        assert found[id(params[name])] == pytest.approx(wanted, rel=1e-9), name
    kinds = {name.rpartition('.')[2] for name in rule if name.startswith('backbone')}
    assert {'cls_token', 'pos_embed', 'relative_position_bias_table'} <= kinds
    assert len(optimizer.param_groups) == len(set(rule.values())) == 2 * (BLOCKS + 2)
    assert optimizer.defaults['lr'] == BASE  # what mmengine logs


def test_by_hand_for_a_few_parameters():
    model = segmentor()
    found, vit = settings(construct(model)), model.backbone
    assert found[id(vit.pos_embed)] == (pytest.approx(4e-4 * 0.1160290625), 0.0)  # 0.65^5
    assert found[id(vit.layers[0].attn.qkv.weight)] == (pytest.approx(4e-4 * 0.17850625), 0.05)
    table = vit.layers[3].attn.relative_position_bias_table
    assert found[id(table)] == (pytest.approx(4e-4 * 0.65), 0.0)
    assert found[id(model.neck.upsample_4x[0].weight)] == (4e-4, 0.05)
    assert found[id(model.neck.upsample_4x[1].weight)] == (4e-4, 0.0)


def compile_blocks(model: nn.Module) -> nn.Module:
    for index, layer in enumerate(model.backbone.layers):
        model.backbone.layers[index] = torch.compile(layer)
    return model


def compile_backbone(model: nn.Module) -> nn.Module:
    model.backbone = torch.compile(model.backbone)
    return model


class Wrapped(nn.Module):
    """Names its parameters as DistributedDataParallel does."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module


WRAPPINGS = dict(
    ddp=Wrapped,
    compiled=torch.compile,
    ddp_compiled=lambda model: Wrapped(torch.compile(model)),
    compiled_ddp=lambda model: torch.compile(Wrapped(model)),
    compiled_blocks=compile_blocks,
    compiled_backbone=compile_backbone,
)


@pytest.mark.parametrize('wrapping', WRAPPINGS)
@pytest.mark.parametrize('kind', MODELS)
def test_wrapped_and_compiled_models_follow_the_same_rule(kind, wrapping):
    model = MODELS[kind]()
    params, rule = dict(model.named_parameters()), expected(model)
    found = settings(construct(WRAPPINGS[wrapping](model)))
    assert found == {id(params[name]): pytest.approx(rule[name], rel=1e-9) for name in rule}


def test_frozen_parameters_are_left_out():
    model = classifier(train_pos_embed=False)
    model.backbone.layers[0].requires_grad_(False)
    found = settings(construct(model))
    assert id(model.backbone.pos_embed) not in found
    assert not found.keys() & {id(p) for p in model.backbone.layers[0].parameters()}
    assert len(found) == sum(p.requires_grad for p in model.parameters())


def test_mask_tokens_count_as_input_and_decay():
    model = classifier()
    model.backbone.mask_token = nn.Parameter(torch.zeros(1, 1, 16))
    found = settings(construct(model))
    assert found[id(model.backbone.mask_token)] == pytest.approx((BASE * RATE**5, DECAY))


def test_the_releases_segmentation_decays_tokens_and_positions():
    """Its rule: no decay for what has one dimension, is called bias, or has one of the bare names
    pos_embed and cls_token, which no parameter of a segmentor has."""
    model = segmentor()
    plain, found = (settings(construct(model, **more)) for more in ({}, {'decay_embeddings': True}))
    changed = set()
    for name, param in model.named_parameters():
        spared = param.ndim == 1 or name.endswith('.bias') or name in ('pos_embed', 'cls_token')
        assert found[id(param)] == (plain[id(param)][0], 0 if spared else DECAY), name
        if found[id(param)] != plain[id(param)]:
            changed.add(name.removeprefix('backbone.'))
    tables = {f'layers.{block}.attn.relative_position_bias_table' for block in range(BLOCKS)}
    assert changed == {'cls_token', 'pos_embed', *tables}


def test_the_shared_position_bias_of_mmpretrains_beit_has_the_full_rate():
    arch = dict(embed_dims=16, num_layers=BLOCKS, num_heads=2, feedforward_channels=32)
    model = CLASSIFIERS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(
                type='BEiTViT',
                arch=arch,
                img_size=32,
                patch_size=16,
                use_rel_pos_bias=False,
                use_shared_rel_pos_bias=True,
            ),
        )
    )
    table = model.backbone.rel_pos_bias.relative_position_bias_table
    assert settings(construct(model))[id(table)] == (BASE, 0.0)


def test_the_table_counts_every_parameter_once(monkeypatch):
    logged = []
    monkeypatch.setattr(
        'bootmae_mm.engine.layer_decay.print_log', lambda text, logger: logged.append(text)
    )
    model = classifier()
    construct(model)
    assert len(logged) == 1
    title, header, *rows = (line.split() for line in logged[0].splitlines())
    assert title == ['Layer-wise', 'decay', '0.65']
    assert header == ['depth', 'lr', 'weight', 'decay', 'tensors', 'parameters']
    assert [row[0] for row in rows] == [str(depth) for depth in range(6) for _ in range(2)]
    assert [row[2] for row in rows] == ['no', 'yes'] * 6
    assert sum(int(row[3]) for row in rows) == len(list(model.parameters()))
    counted = sum(int(row[4].replace(',', '')) for row in rows)
    assert counted == sum(p.numel() for p in model.parameters())
    assert [float(row[1]) for row in rows[-4:]] == [2.6e-4, 2.6e-4, 4e-4, 4e-4]
    # patch embedding: 16 × 3 × 16 × 16 weights; bias, class token and 5 position embeddings of 16
    assert rows[0][3:] == ['3', '112'] and rows[1][3:] == ['1', '12,288']


@pytest.mark.parametrize('place', ['adapter', 'prompt_tokens'])
def test_an_unknown_parameter_of_the_backbone_is_an_error(place):
    model = classifier()
    extra = nn.Linear(2, 2) if place == 'adapter' else nn.Parameter(torch.zeros(1, 2))
    setattr(model.backbone, place, extra)
    with pytest.raises(ValueError, match=rf"no depth for the parameter 'backbone\.{place}"):
        construct(model)


@pytest.mark.parametrize(
    'model, found',
    [
        (nn.Linear(2, 2), 'no backbone in Linear'),
        (nn.ModuleDict(dict(module=nn.Linear(2, 2))), 'no backbone in Linear'),
        (Wrapped(nn.ModuleDict(dict(head=nn.Linear(2, 2)))), 'no backbone in ModuleDict'),
    ],
)
def test_a_model_without_backbone_is_refused(model, found):
    with pytest.raises(ValueError, match=f'found {found}'):
        construct(model)


def test_a_backbone_without_depths_is_refused():
    model = nn.Module()
    model.backbone = nn.Linear(2, 2)
    with pytest.raises(ValueError, match='found a Linear in Module'):
        construct(model)


@pytest.mark.parametrize(
    'paramwise_cfg',
    [
        None,
        dict(),
        dict(layer_decay_rate=0),
        dict(layer_decay_rate=1.5),
        dict(layer_decay_rate=0.65, norm_decay_mult=0.0),
    ],
)
def test_other_settings_are_refused(paramwise_cfg):
    optimizer = dict(type='AdamW', lr=BASE)
    with pytest.raises(ValueError, match=r'expects paramwise_cfg=dict\(layer_decay_rate=rate\)'):
        LayerDecayConstructor(dict(optimizer=optimizer), paramwise_cfg)


def test_an_optimiser_without_learning_rate_is_refused():
    with pytest.raises(ValueError, match='found none in the optimizer'):
        LayerDecayConstructor(dict(optimizer=dict(type='AdamW')), dict(layer_decay_rate=0.65))
