"""Tiny models and masks, all seeded."""

import numpy as np
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn


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


def randomise(module: nn.Module, seed: int = 3) -> nn.Module:
    """Fill every parameter, so that none is at a value that hides it."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    module.eval()
    return module


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(v, theirs[k]) for k, v in ours.items())
