"""Encoders of every common layout load completely, or not at all: features against their source."""

import math

import pytest
import torch
from mmpretrain.models.utils import resize_pos_embed
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from bootmae_mm.encoder.grids import fit_bias_table, fit_pos_embed
from bootmae_mm.encoder.loading import load_encoder
from bootmae_mm.encoder.vit import BootMAEViT
from bootmae_mm.studies.parity import Golden
from tests.helpers.models import build_tiny, randomise
from tests.helpers.paths import GOLDEN

SIZES = dict(
    arch=dict(embed_dims=24, num_layers=2, num_heads=3, feedforward_channels=48),
    img_size=32,
    patch_size=8,
)
EVERYTHING = dict(relative_position_bias=True, layer_scale_init_value=0.1)


def build(**changes) -> nn.Module:
    model = MODELS.build({'type': 'BootMAEViT', 'out_type': 'raw', **SIZES, **changes})
    model.eval()
    return model


def source(**changes) -> nn.Module:
    return randomise(build(**changes))


def features(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return model(images)[-1]


def under(prefix: str, state: dict) -> dict:
    return {prefix + name: value for name, value in state.items()}


class TestMmpretrain:
    @pytest.mark.parametrize('kind', ['VisionTransformer', 'MAEViT', 'MoCoV3ViT'])
    @pytest.mark.parametrize('prefix', ['', 'backbone.'])
    def test_its_vits(self, kind, prefix, images):
        other = source(type=kind)
        target = build()
        report = load_encoder(target, under(prefix, other.state_dict()))
        assert report == 'loaded 30/30 encoder tensors'
        if kind == 'MAEViT':
            with torch.no_grad():
                expected = other(images, mask=None)[-1]
        else:
            expected = features(other, images)
        torch.testing.assert_close(features(target, images), expected)

    def test_layer_scale(self, images):
        other = source(type='VisionTransformer', layer_scale_init_value=0.1)
        target = build(layer_scale_init_value=1.0)
        report = load_encoder(target, other.state_dict())
        assert report == 'loaded 34/34 encoder tensors'
        torch.testing.assert_close(features(target, images), features(other, images))

    @pytest.mark.parametrize('shared', [True, False])
    def test_beit(self, shared, images):
        options = dict(use_rel_pos_bias=not shared, use_shared_rel_pos_bias=shared)
        other = source(type='BEiTViT', final_norm=True, **options)
        state = {**other.state_dict(), 'mask_token': torch.ones(1, 1, 24)}
        target = build(**EVERYTHING)
        report = load_encoder(target, under('backbone.', state))
        assert report.startswith('loaded 36/36 encoder tensors; position embedding set to zero')
        torch.testing.assert_close(features(target, images), features(other, images))

    def test_beits_pretraining_model(self, images):
        other = source(type='BEiTPretrainViT')
        target = build(**EVERYTHING)
        load_encoder(target, under('backbone.', other.state_dict()))
        with torch.no_grad():
            expected = other(images, torch.zeros(2, 16, dtype=torch.bool))[-1]
        torch.testing.assert_close(features(target, images), expected)

    @pytest.mark.parametrize('missing', [*EVERYTHING])
    def test_beit_needs_both_options(self, missing):
        state = source(type='BEiTViT', final_norm=True).state_dict()
        options = {name: value for name, value in EVERYTHING.items() if name != missing}
        with pytest.raises(ValueError, match=f'build it with {missing}=') as error:
            load_encoder(build(**options), state)
        assert next(iter(options)) not in str(error.value)

    def test_a_norm_before_the_blocks(self, images):
        other = source(type='VisionTransformer', pre_norm=True)
        target = build(pre_norm=True)
        load_encoder(target, other.state_dict())
        torch.testing.assert_close(features(target, images), features(other, images))
        with pytest.raises(ValueError, match='found none for pre_norm.weight, pre_norm.bias'):
            load_encoder(build(patch_cfg=dict(bias=False)), other.state_dict())

    def test_momentum_encoders_are_not_taken(self):
        student, teacher = source().state_dict(), randomise(build(), seed=4).state_dict()
        state = {**under('momentum_encoder.module.0.', teacher), **under('backbone.', student)}
        target = build()
        report = load_encoder(target, state)
        assert report == (
            'loaded 30/30 encoder tensors; 30 tensors beside the encoder not used (also an '
            "encoder: 'momentum_encoder.0.')"
        )
        assert torch.equal(target.cls_token, student['cls_token'])


class TestOtherLayouts:
    @pytest.mark.parametrize('prefix', ['', 'module.', 'module.backbone.'])
    def test_timm_and_what_shares_its_names(self, prefix, images):
        timm = pytest.importorskip('timm')
        other = randomise(
            timm.models.vision_transformer.VisionTransformer(
                img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3, mlp_ratio=2,
                num_classes=5, init_values=0.1,
            )
        )  # fmt: skip
        target = build(layer_scale_init_value=1.0)
        state = under(prefix, other.state_dict())
        head = {name: state.pop(f'{prefix}{name}') for name in ('head.weight', 'head.bias')}
        state.update(under(prefix.removesuffix('backbone.'), head))
        report = load_encoder(target, state)
        assert report == 'loaded 34/34 encoder tensors; 2 tensors beside the encoder not used'
        with torch.no_grad():
            torch.testing.assert_close(features(target, images), other.forward_features(images))

    def test_moco_v3_of_its_authors(self):
        student = to_timm(source().state_dict())
        state = under('module.base_encoder.', {**student, 'head.0.weight': torch.zeros(1)})
        state.update(under('module.momentum_encoder.', to_timm(build().state_dict())))
        target = build()
        load_encoder(target, state)
        assert torch.equal(target.cls_token, student['cls_token'])

    @pytest.mark.parametrize('prefix', ['', 'vit.'])
    def test_transformers(self, prefix, images):
        transformers = pytest.importorskip('transformers')
        config = transformers.ViTConfig(
            hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48,
            image_size=32, patch_size=8, layer_norm_eps=1e-6,
        )  # fmt: skip
        other = randomise(transformers.ViTModel(config))
        target = build()
        load_encoder(target, under(prefix, other.state_dict()))
        with torch.no_grad():
            expected = other(images).last_hidden_state
        torch.testing.assert_close(features(target, images), expected)

    def test_the_releases_pretraining(self, images):
        golden = Golden(GOLDEN / 'bootmae_tiny.npz')
        meta = golden.meta
        sizes = dict(embed_dims=48, num_layers=3, num_heads=3, feedforward_channels=192)
        target = build(arch=sizes, img_size=meta['img_size'], final_norm=False)
        report = load_encoder(target, golden.tensors('teacher'))
        assert report == 'loaded 40/40 encoder tensors; the norm ln1 not used'
        expected = golden.tensor('step0/teacher_feature')
        actual = features(target, golden.tensor('step0/images'))[:, 1:]
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
        report = load_encoder(target, golden.tensors('student'))
        assert 'tensors beside the encoder not used' in report

    def test_the_releases_classifier(self):
        golden = Golden(GOLDEN / 'finetune_tiny.npz')
        sizes = dict(embed_dims=48, num_layers=3, num_heads=3, feedforward_channels=192)
        options = dict(arch=sizes, img_size=224, patch_size=16)
        target = build(**options, final_norm=False, out_type='avg_featmap')
        report = load_encoder(target, golden.tensors('state'))
        assert report == 'loaded 42/42 encoder tensors; 2 tensors beside the encoder not used'
        pooled = features(target, golden.tensor('images'))
        torch.testing.assert_close(pooled, golden.tensor('pooled'), rtol=1e-4, atol=1e-4)
        with pytest.raises(ValueError, match='missing are ln1.weight, ln1.bias; .*final_norm=Fal'):
            load_encoder(build(**options), golden.tensors('state'))

    def test_the_releases_segmentor(self):
        golden = Golden(GOLDEN / 'seg_backbone_tiny.npz')
        sizes = dict(embed_dims=32, num_layers=4, num_heads=2, feedforward_channels=128)
        options = dict(out_type='featmap', out_indices=[2], final_norm=False)
        target = build(arch=sizes, img_size=64, patch_size=16, **options, **EVERYTHING)
        state = under('backbone.', golden.tensors('state'))
        report = load_encoder(target, {**state, 'decode_head.x': torch.zeros(1)})
        assert report.startswith('loaded 64/64 encoder tensors')
        actual = features(target, golden.tensor('images'))
        torch.testing.assert_close(actual, golden.tensor('level2'), rtol=1e-4, atol=1e-4)


def to_timm(state: dict) -> dict:
    """timm's names for a tiny encoder, written out."""
    parts = {
        'layers.': 'blocks.',
        '.ln1.': '.norm1.',
        '.ln2.': '.norm2.',
        '.ffn.blocks.0.0.': '.mlp.fc1.',
        '.ffn.blocks.1.': '.mlp.fc2.',
        'patch_embed.projection': 'patch_embed.proj',
    }
    for old, new in parts.items():
        state = {name.replace(old, new): value for name, value in state.items()}
    return {('norm' + n[3:] if n.startswith('ln1') else n): v for n, v in state.items()}


class TestGrids:
    def test_a_position_embedding_of_another_grid(self):
        state = source().state_dict()
        target = build(img_size=(16, 64))
        report = load_encoder(target, state)
        assert report.endswith('; position embedding resized from 4 × 4 to 2 × 8')
        expected = resize_pos_embed(state['pos_embed'], (4, 4), (2, 8))
        torch.testing.assert_close(target.pos_embed.detach(), expected)
        assert report.startswith('loaded 30/30')

    @pytest.mark.parametrize('size', [(16, 24), (16, 64)])
    def test_the_fixed_embedding_says_which_grid_it_is_of(self, size):
        """Also where it has as many patches as a square, 16."""
        state = build(img_size=size).state_dict()
        target = build(img_size=size)
        assert load_encoder(target, state) == 'loaded 30/30 encoder tensors'
        assert torch.equal(target.pos_embed, state['pos_embed'])
        larger = build(img_size=(2 * size[0], 2 * size[1]))
        report = load_encoder(larger, state)
        grid = [side // 8 for side in size]
        assert f'resized from {grid[0]} × {grid[1]} to {2 * grid[0]} × {2 * grid[1]}' in report

    @pytest.mark.parametrize(
        'old, new', [((2, 3), (4, 6)), ((6, 4), (3, 2)), ((4, 4), (2, 3)), ((3, 3), (5, 5))]
    )
    def test_rectangles_of_one_aspect_and_squares(self, old, new):
        embedding = torch.randn(1, 1 + math.prod(old), 8)
        resized, grid = fit_pos_embed(embedding, new)
        assert grid == old
        torch.testing.assert_close(resized, resize_pos_embed(embedding, old, new))
        rows = (2 * old[0] - 1) * (2 * old[1] - 1) + 3
        table, grid = fit_bias_table(torch.ones(rows, 3), new)
        assert grid == old and len(table) == (2 * new[0] - 1) * (2 * new[1] - 1) + 3

    def test_any_other_grid_cannot_be_guessed(self):
        state = source(img_size=(16, 24)).state_dict()
        with pytest.raises(ValueError, match='aspect of 4 × 4, found 6 rows'):
            load_encoder(build(), state)

    def test_relative_position_tables_of_another_grid(self):
        other = source(**EVERYTHING)
        target = build(img_size=(48, 32), **EVERYTHING)
        report = load_encoder(target, other.state_dict())
        assert 'relative position tables resized from 4 × 4 to 6 × 4' in report
        for old, new in zip(other.layers, target.layers, strict=True):
            old, new = (x.attn.relative_position_bias_table for x in (old, new))
            assert torch.equal(old[-3:], new[-3:])
            image = old[:-3].T.reshape(1, 3, 7, 7)
            resized = nn.functional.interpolate(image, (11, 7), mode='bicubic')
            torch.testing.assert_close(new[:-3], resized.flatten(2)[0].T)


class TestRefusals:
    def test_part_of_the_layer_scales(self):
        state = source(layer_scale_init_value=0.1).state_dict()
        state.pop('layers.1.ffn.gamma2.weight')
        with pytest.raises(ValueError, match='missing are layers.1.ffn.gamma2.weight'):
            load_encoder(build(layer_scale_init_value=0.1), state)

    def test_a_deeper_encoder(self):
        arch = dict(SIZES['arch'], num_layers=3)
        with pytest.raises(ValueError, match='expected 2 blocks of width 24 .*, found 3 blocks of'):
            load_encoder(build(), source(arch=arch).state_dict())
        with pytest.raises(ValueError, match='expected 3 blocks .*, found 2 blocks of width 24'):
            load_encoder(build(arch=arch), source().state_dict())

    @pytest.mark.parametrize('name', ['reg_token', 'blocks.0.attn.q_norm.weight'])
    def test_parts_that_we_do_not_have(self, name):
        state = to_timm(source().state_dict())
        state[name] = torch.zeros(1, 1, 24)
        with pytest.raises(ValueError, match=f'found none for {name}; choose another encoder'):
            load_encoder(build(), state)

    def test_another_width_or_patch(self):
        state = source().state_dict()
        with pytest.raises(ValueError, match='of 3 × 4 × 4, found .* of 3 × 8 × 8; make arch'):
            load_encoder(build(patch_size=4), state)

    def test_several_encoders(self):
        state = source().state_dict()
        state = {**under('a.', state), **under('b.', state)}
        with pytest.raises(ValueError, match="found 'a.' .30 tensors, 2 blocks .* and 'b.' "):
            load_encoder(build(), state)


def test_our_own_pretraining_checkpoint():
    pretrained = build_tiny(seed=2)
    target = BootMAEViT(
        arch=dict(embed_dims=24, num_layers=3, num_heads=3, feedforward_channels=48),
        img_size=32,
        patch_size=8,
    )
    others = len(pretrained.state_dict()) - 42
    assert load_encoder(target, pretrained.state_dict()) == (
        f'loaded 42/42 encoder tensors; {others} tensors beside the encoder not used (also an '
        "encoder: 'teacher.encoder.')"
    )
    assert all(
        torch.equal(value, pretrained.backbone.state_dict()[name])
        for name, value in target.state_dict().items()
    )
