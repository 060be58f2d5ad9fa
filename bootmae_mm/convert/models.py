"""Our models of converted weights; their outputs, and the release's, on the same input."""

import math

import torch
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..checkpoint import State
from ..pretrain.decoder import TargetAwareDecoder
from ..transfer.pyramid import FourScalePyramid
from . import reference
from .layout import encoder_part, segmentor_part
from .weights import Arch, Weights

Outputs = dict[str, Tensor]


def random_images(arch: Arch, batch: int = 2) -> Tensor:
    """Standard normal images, the same every time."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, *arch.img_size, generator=generator)


def random_split(arch: Arch, batch: int = 2) -> tuple[Tensor, Tensor]:
    """Indices of a quarter of the patches, visible, and of the others, masked."""
    num_patches = math.prod(arch.grid)
    generator = torch.Generator().manual_seed(0)
    ids = torch.rand(batch, num_patches, generator=generator).argsort(1)
    return ids[:, : num_patches // 4], ids[:, num_patches // 4 :]


def dense_blocks(arch: Arch) -> list[int]:
    """Blocks (from 0) after which a segmentation model takes its features: 3, 5, 7, 11 of 12."""
    return [max(arch.num_layers * part // 6 - 1, 0) for part in (2, 3, 4, 6)]


def load(model: nn.Module, state: State) -> nn.Module:
    """Load every tensor, for evaluation.

    Raises:
        ValueError: If one is missing, too many, or of another size.
    """
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(
            f'Expected the weights of a {type(model).__name__}, found others: '
            f'{" ".join(str(error).split())}.'
        ) from error
    model.eval()
    return model


class Tokens(nn.Module):
    """The encoder as one function: images to the tokens of its last block, class token first,
    through the final norm if there is one."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` to ``(B, 1 + N, D)``."""
        return self.encoder(images)[-1]


def tokens_model(ours: Weights, arch: Arch) -> nn.Module:
    """Images to tokens."""
    state = {n: v for n, v in encoder_part(ours.state).items() if not n.startswith('ln2.')}
    return Tokens(load(MODELS.build(arch.encoder_config(out_type='raw')), state)).eval()


def classifier_model(ours: Weights, arch: Arch) -> nn.Module:
    """Images to class scores.

    Raises:
        ValueError: If the weights are not of a classifier that averages the patches.
    """
    num_classes, width = ours.state['head.fc.weight'].shape
    return load(
        MODELS.build(
            dict(
                type='ImageClassifier',
                backbone=arch.encoder_config(out_type='avg_featmap'),
                head=dict(type='LinearClsHead', num_classes=num_classes, in_channels=width),
            )
        ),
        ours.state,
    )


def our_outputs(ours: Weights, arch: Arch) -> Outputs:
    """What our models compute from weights in our layout, for every part that is converted."""
    images = random_images(arch)
    with torch.no_grad():
        if ours.kind == 'pretraining':
            return _our_predictions(ours, arch)
        if ours.kind == 'classifier':
            return {'class scores': classifier_model(ours, arch)(images)}
        if ours.kind == 'segmentor':
            return _our_pyramid(ours, arch)
        return {'tokens': tokens_model(ours, arch)(images)}


def release_outputs(release: Weights, arch: Arch) -> Outputs:
    """What the release computes from weights in its layout, for the same parts."""
    images, heads, w = random_images(arch), arch.num_heads, release.state
    with torch.no_grad():
        if release.kind == 'pretraining':
            return _release_predictions(release, arch)
        if release.kind == 'classifier':
            return {'class scores': reference.classify(w, images, heads)}
        if release.kind == 'segmentor':
            maps = reference.pyramid(segmentor_part(w), images, heads, dense_blocks(arch))
            return {f'map {level}': x for level, x in enumerate(maps)}
        last = reference.encode(w, images, heads)[-1]
        return {'tokens': reference.norm(w, 'norm', last) if arch.final_norm else last}


def _our_pyramid(ours: Weights, arch: Arch) -> Outputs:
    cfg = arch.encoder_config(out_type='featmap', out_indices=dense_blocks(arch))
    encoder = load(MODELS.build(cfg), encoder_part(ours.state))
    neck = FourScalePyramid(arch.embed_dims, norm_cfg=dict(type='BN'))
    state = {n.removeprefix('neck.'): v for n, v in ours.state.items() if n.startswith('neck.')}
    maps = load(neck, state)(encoder(random_images(arch)))
    return {f'map {level}': x for level, x in enumerate(maps)}


def _our_predictions(ours: Weights, arch: Arch) -> Outputs:
    """Predictions of the masked patches; the first block's output is injected into the regressor
    and the last one's into the predictor."""
    state = {name: v for name, v in ours.state.items() if not name.startswith('teacher.')}
    model = load(MODELS.build(arch.encoder_config()), encoder_part(state))
    visible, masked = random_split(arch)
    last = arch.num_layers - 1
    latent, taps = model.encode(random_images(arch), visible, taps=(0, last))
    latent = model.ln1(latent)
    outputs = {'tokens': latent}
    for name, block in (('regressor', 0), ('predictor', last)):
        if f'{name}.mask_token' in state:
            part = {n.removeprefix(f'{name}.'): v for n, v in state.items() if n.startswith(name)}
            decoder = load(_decoder(part, arch), part)
            outputs[name] = decoder(latent, taps[block], masked)
    return outputs


def _decoder(part: State, arch: Arch) -> nn.Module:
    to_pixels = part['head.weight'].dim() == 4
    return TargetAwareDecoder(
        embed_dims=part['mask_token'].shape[-1],
        depth=len({name.split('.')[1] for name in part if name.startswith('blocks.')}),
        context_layer=0 if any('cross_attn' in name for name in part) else None,
        encoder_dims=arch.embed_dims,
        num_heads=arch.num_heads,
        grid=arch.grid,
        out_channels=3 if to_pixels else len(part['head.weight']),
        out_patch_size=arch.patch_size if to_pixels else 1,
    )


def _release_predictions(release: Weights, arch: Arch) -> Outputs:
    w, heads = release.state, arch.num_heads
    visible, masked = random_split(arch)
    blocks = reference.encode(w, random_images(arch), heads, visible)
    latent = reference.norm(w, 'norm', blocks[-1])
    outputs = {'tokens': latent}
    for name, suffix, context in (('regressor', '', blocks[0]), ('predictor', '_1', blocks[-1])):
        if f'mask_token{suffix}' in w:
            outputs[name] = reference.predict(w, suffix, latent, context, masked, heads)
    return outputs
