"""Tiny checkpoints to convert: ours, and the release's from its golden files."""

import os
from pathlib import Path

import torch
from mmpretrain.registry import MODELS
from torch import nn

from bootmae_mm.studies.parity import Golden
from tests.helpers.models import build_tiny, randomise
from tests.helpers.paths import GOLDEN

TINY = dict(
    arch=dict(embed_dims=24, num_layers=3, num_heads=3, feedforward_channels=48),
    img_size=32,
    patch_size=8,
)


def save(path: Path, state: dict, key: str = 'state_dict') -> str:
    """Write a checkpoint; returns its path."""
    torch.save({key: state}, path)
    return str(path)


def pretraining_file(folder: Path, img_size: int | tuple[int, int] = 32) -> str:
    """One of our pretrainings, also with key biases, which have no effect."""
    model = build_tiny(backbone=dict(TINY, type='BootMAEViT', img_size=img_size))
    fixed = model.backbone.pos_embed.clone()
    randomise(model)
    model.backbone.pos_embed.data.copy_(fixed)
    return save(folder / 'pretrained.pth', model.state_dict())


def classifier_file(folder: Path) -> tuple[nn.Module, str]:
    """One of our classifiers with layer scale, and its file."""
    options = dict(final_norm=False, out_type='avg_featmap', layer_scale_init_value=1)
    backbone = dict(TINY, type='BootMAEViT', **options)
    head = dict(type='LinearClsHead', num_classes=5, in_channels=24)
    model = MODELS.build(dict(type='ImageClassifier', backbone=backbone, head=head))
    randomise(model)
    return model, save(folder / 'classifier.pth', model.state_dict())


def golden_file(folder: Path, name: str, prefix: str) -> tuple[Golden, str]:
    """A golden file, and its weights as the release stores them."""
    golden = Golden(GOLDEN / f'{name}.npz')
    return golden, save(folder / 'release.pth', golden.tensors(prefix), 'model')


def segmentor_file(folder: Path) -> tuple[Golden, str]:
    """The golden segmentation backbone as a segmentor of the release, with a bit of two heads."""
    golden = Golden(GOLDEN / 'seg_backbone_tiny.npz')
    state = {f'backbone.{name}': value for name, value in golden.tensors('state').items()}
    for name in state:
        if name.endswith('relative_position_index'):
            state[name] = state[name].long()
    for name in ('decode_head.conv_seg.weight', 'auxiliary_head.convs.0.bn.running_mean'):
        state[name] = torch.randn(3)
    return golden, save(folder / 'release.pth', state)


class Command:
    """Unpickling it would run a command."""

    def __reduce__(self):
        return os.mkdir, ('pickle_ran_code',)
