"""Weights between layouts, strictly; files that are damaged or hostile."""

import argparse
import os

import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmpretrain.registry import MODELS
from safetensors.torch import save_file

from bootmae_mm import checkpoint
from bootmae_mm.encoder.loading import load_encoder
from bootmae_mm.encoder.vit import BootMAEViT
from bootmae_mm.studies.parity import Golden
from bootmae_mm.studies.parity.pretraining import initial_state
from tests.helpers.conversion_data import Command
from tests.helpers.models import build_tiny, tiny_config
from tests.helpers.paths import GOLDEN


def release_shapes(dims: int, depth: int, decoder_dims: int = 512, heads: int = 12) -> dict:
    """Names and shapes of a released pretraining checkpoint, written down from its description:
    224-pixel images, patch 16, two decoder blocks, heads ``decoder_dims // heads`` wide."""
    shapes = {
        'cls_token': (1, 1, dims),
        'pos_embed': (1, 197, dims),
        'de_pos_embed': (1, 197, decoder_dims),
        'patch_embed.proj.weight': (dims, 3, 16, 16),
        'patch_embed.proj.bias': (dims,),
        'norm.weight': (dims,),
        'norm.bias': (dims,),
    }

    def add_block(prefix: str, width: int, inner: int, norms: dict) -> None:
        for norm, size in norms.items():
            shapes[f'{prefix}.{norm}.weight'] = shapes[f'{prefix}.{norm}.bias'] = (size,)
        shapes[f'{prefix}.attn.q_bias'] = shapes[f'{prefix}.attn.v_bias'] = (inner,)
        shapes[f'{prefix}.attn.qkv.weight'] = (3 * inner, width)
        shapes[f'{prefix}.attn.proj.weight'] = (width, inner)
        shapes[f'{prefix}.attn.proj.bias'] = (width,)
        shapes[f'{prefix}.mlp.fc1.weight'] = (4 * width, width)
        shapes[f'{prefix}.mlp.fc1.bias'] = (4 * width,)
        shapes[f'{prefix}.mlp.fc2.weight'] = (width, 4 * width)
        shapes[f'{prefix}.mlp.fc2.bias'] = (width,)

    for block in range(depth):
        add_block(f'blocks.{block}', dims, dims, dict(norm1=dims, norm2=dims))
    for suffix, width in (('', decoder_dims), ('_1', dims)):
        inner = width // heads * heads
        for block in range(2):
            prefix = f'decode_blocks{suffix}.{block}'
            norms = dict(norm1=width, norm2=width, norm3=width, norm4=dims)
            add_block(prefix, width, inner, norms)
            shapes[f'{prefix}.c_attn.q_bias'] = shapes[f'{prefix}.c_attn.v_bias'] = (inner,)
            shapes[f'{prefix}.c_attn.q.weight'] = (inner, width)
            shapes[f'{prefix}.c_attn.kv.weight'] = (2 * inner, dims)
            shapes[f'{prefix}.c_attn.proj.weight'] = (width, inner)
            shapes[f'{prefix}.c_attn.proj.bias'] = (width,)
        shapes[f'mask_token{suffix}'] = (1, 1, width)
        shapes[f'down{suffix}.weight'] = (width, dims)
        shapes[f'down{suffix}.bias'] = (width,)
        shapes[f'decode_norm{suffix}.weight'] = shapes[f'decode_norm{suffix}.bias'] = (width,)
    shapes['lm_head.proj.weight'] = (decoder_dims, 3, 16, 16)
    shapes['lm_head.proj.bias'] = (3,)
    shapes['lm_head_1.weight'] = (dims, dims)
    shapes['lm_head_1.bias'] = (dims,)
    return shapes


@pytest.mark.parametrize(
    'arch, dims, depth, heads', [('base', 768, 12, 12), ('large', 1024, 24, 16)]
)
def test_released_checkpoints_load_strictly(arch, dims, depth, heads):
    """Every name and shape of the release, decoders and 42-wide heads included."""
    config = tiny_config(
        backbone=dict(type='BootMAEViT', arch=arch, img_size=224, patch_size=16),
        regressor=dict(type='TargetAwareDecoder', embed_dims=512, context_layer=0),
    )
    for name in ('teacher', 'predictor', 'feature_head'):
        config.pop(name)
    config.update(predictor=tiny_config()['predictor'], feature_head=dict(type='FeatureHead'))
    with torch.device('meta'):
        config['teacher'] = dict(type='MomentumTeacher')
        model = MODELS.build(config)
        shapes = release_shapes(dims, depth, heads=heads)
        state = checkpoint.from_release({name: torch.empty(s) for name, s in shapes.items()})
    own = {k: v.shape for k, v in model.state_dict().items() if not k.startswith('teacher.')}
    assert {name: value.shape for name, value in state.items()} == own


def test_the_golden_weights_load_strictly_and_go_back():
    golden = Golden(GOLDEN / 'bootmae_tiny.npz')
    student = golden.tensors('student')
    back = checkpoint.to_release(checkpoint.from_release(student))
    assert back.keys() == student.keys()
    assert all(torch.equal(back[name], student[name]) for name in student)
    assert any(name.startswith('teacher.encoder.') for name in initial_state(golden))


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="unknown name 'head.weight'"):
        checkpoint.from_release({'head.weight': torch.zeros(1)})
    with pytest.raises(ValueError, match="unknown name 'backbone.other'"):
        checkpoint.to_release({'backbone.other': torch.zeros(1)})


def encoder() -> BootMAEViT:
    return build_tiny(seed=1).backbone


@pytest.mark.parametrize('layout', ['algorithm', 'bare', 'release'])
def test_an_encoder_loads_from_every_layout(layout):
    source = build_tiny(seed=2)
    state = {
        'algorithm': source.state_dict,
        'bare': source.backbone.state_dict,
        'release': lambda: checkpoint.to_release(
            source.backbone.state_dict(), checkpoint.ENCODER_NAMES
        ),
    }[layout]()
    target = encoder()
    assert load_encoder(target, state).startswith('loaded 42/42 encoder tensors')
    expected = source.backbone.state_dict()
    assert all(torch.equal(v, expected[name]) for name, v in target.state_dict().items())


def test_an_incomplete_or_other_encoder_is_refused():
    state = build_tiny().state_dict()
    with pytest.raises(ValueError, match='found 41 in the checkpoint; missing are ln1.bias'):
        load_encoder(encoder(), {k: v for k, v in state.items() if k != 'backbone.ln1.bias'})
    state['backbone.ln1.bias'] = torch.zeros(5)
    with pytest.raises(ValueError, match='of another encoder'):
        load_encoder(encoder(), state)
    with pytest.raises(ValueError, match="none among its 1 tensors, of 'decode_head' .1.; choose"):
        load_encoder(encoder(), {'decode_head.weight': torch.zeros(1)})


def test_the_norm_of_a_classifier_is_new():
    source = build_tiny(seed=2)
    config = {**tiny_config()['backbone'], 'out_type': 'avg_featmap', 'final_norm': False}
    target = MODELS.build(config)
    assert load_encoder(target, source.backbone.state_dict()) == (
        'loaded 40/40 encoder tensors; the norm ln2 at initial values; the norm ln1 not used'
    )
    assert torch.equal(target.layers[2].ln1.weight, source.backbone.layers[2].ln1.weight)
    assert torch.equal(target.ln2.weight, torch.ones(24))


def test_relative_position_bias_and_layer_scale_are_new():
    source = build_tiny(seed=2)
    new = dict(relative_position_bias=True, layer_scale_init_value=1.0)
    target = MODELS.build({**tiny_config()['backbone'], **new})
    assert load_encoder(target, source.backbone.state_dict()) == (
        'loaded 42/42 encoder tensors; relative position bias at initial values; layer scale at '
        'initial values'
    )
    assert target.layers[0].attn.relative_position_bias_table.abs().max() == 0
    tuned = {f'backbone.{k}': v + 1 for k, v in target.state_dict().items()}
    assert load_encoder(target, tuned) == 'loaded 51/51 encoder tensors'
    assert torch.equal(target.layers[0].attn.gamma1.weight, torch.full((24,), 2.0))


class Attribute:
    """Unpickling it would fetch an attribute that log buffers do not store."""

    def __reduce__(self):
        return getattr, (HistoryBuffer, '__init__')


@pytest.mark.parametrize('attack', [Command, Attribute])
def test_a_pickle_with_code_is_refused_and_not_run(attack, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({'state_dict': {'x': torch.zeros(1)}, 'meta': attack()}, 'bad.pth')
    with pytest.raises(ValueError, match='damaged or holds other objects'):
        checkpoint.read_state_dict('bad.pth')
    assert not os.path.exists('pickle_ran_code')


def test_the_command_line_stored_beside_the_weights_is_harmless(tmp_path):
    arguments = argparse.Namespace(lr=0.1, betas=[0.9, 0.95])
    torch.save({'model': {'x': torch.ones(2)}, 'args': arguments}, tmp_path / 'release.pth')
    assert torch.equal(checkpoint.read_state_dict(tmp_path / 'release.pth')['x'], torch.ones(2))
    torch.save({'model': {}, 'args': argparse.Namespace(x=Command())}, tmp_path / 'bad.pth')
    with pytest.raises(ValueError, match='damaged or holds other objects'):
        checkpoint.read_state_dict(tmp_path / 'bad.pth')


def test_safetensors_are_read(tmp_path):
    save_file({'x': torch.ones(2)}, tmp_path / 'weights.safetensors')
    state = checkpoint.read_state_dict(tmp_path / 'weights.safetensors')
    assert torch.equal(state['x'], torch.ones(2))
    (tmp_path / 'weights.safetensors').write_bytes(b'text')
    with pytest.raises(ValueError, match='damaged'):
        checkpoint.read_state_dict(tmp_path / 'weights.safetensors')


@pytest.mark.parametrize('damage', [lambda b: b[: len(b) // 2], lambda b: b'', lambda b: b'text'])
def test_a_damaged_file_is_refused(damage, tmp_path):
    path = tmp_path / 'weights.pth'
    torch.save({'x': torch.zeros(100)}, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match='damaged'):
        checkpoint.read_state_dict(path)


def test_a_missing_file_and_a_file_without_weights_are_refused(tmp_path):
    with pytest.raises(ValueError, match='found nothing at'):
        checkpoint.read_state_dict(tmp_path / 'none.pth')
    torch.save({'epoch': 3}, tmp_path / 'empty.pth')
    with pytest.raises(ValueError, match='found none'):
        checkpoint.read_state_dict(tmp_path / 'empty.pth')
