"""Whole checkpoints between the release's layout and ours, pure functions on names."""

import torch

from .. import checkpoint
from ..checkpoint import State
from ..encoder.position import Grid, relative_position_index
from .weights import Weights

NAMES = {
    'pretraining': checkpoint.PRETRAIN_NAMES,
    'classifier': checkpoint.CLASSIFIER_NAMES,
    'encoder': checkpoint.TRANSFER_ENCODER_NAMES,
}
HEADS = 'decode_head.', 'auxiliary_head.'
PYRAMID = {theirs: f'neck.{ours}' for theirs, ours in checkpoint.PYRAMID_NAMES.items()}


def to_ours(weights: Weights) -> Weights:
    """The same model in our layout.

    Raises:
        ValueError: If a name is not one of the release's, or a segmentation model's stored index of
            relative positions differs from ours.
    """
    if weights.layout == 'ours':
        return weights
    if weights.kind == 'segmentor':
        return weights._replace(layout='ours', state=_segmentor_to_ours(weights.state))
    state = checkpoint.from_release(weights.state, NAMES[weights.kind])
    return weights._replace(layout='ours', state=state)


def to_release(weights: Weights, grid: Grid) -> Weights:
    """The same model in the release's layout; of a pretraining, without the teacher, and of a model
    that the release has none of, the encoder alone.

    Args:
        weights: The model.
        grid: Rows and columns of its patches, whose relative positions a segmentor stores.

    Raises:
        ValueError: If a name is not one of ours.
    """
    if weights.layout == 'release':
        return weights
    state = weights.state
    if weights.kind == 'segmentor':
        return weights._replace(layout='release', state=_segmentor_to_release(state, grid))
    if weights.kind == 'encoder':
        state = encoder_part(state)
    state = {name: value for name, value in state.items() if not name.startswith('teacher.')}
    state = checkpoint.to_release(state, NAMES[weights.kind])
    return weights._replace(layout='release', state=state)


def encoder_part(ours: State) -> State:
    """The encoder's tensors of a checkpoint in our layout, without prefix."""
    prefix = 'backbone.' if 'backbone.patch_embed.projection.weight' in ours else ''
    tops = {name.partition('.')[0] for name in checkpoint.TRANSFER_ENCODER_NAMES.values()}
    bare = {n.removeprefix(prefix): v for n, v in ours.items() if n.startswith(prefix)}
    return {n: v for n, v in bare.items() if prefix or n.partition('.')[0] in tops}


def segmentor_part(release: State) -> State:
    """The backbone of a segmentation model of the release, its adapter included."""
    return {
        name.removeprefix('backbone.'): value
        for name, value in release.items()
        if name.startswith('backbone.')
    }


def _segmentor_to_ours(release: State) -> State:
    ours, encoder = {}, {}
    for name, value in segmentor_part(release).items():
        if name.endswith('.relative_position_index'):
            _check_index(name, value)
        elif name[:5] in PYRAMID:
            ours[PYRAMID[name[:5]] + name[5:]] = value
        else:
            encoder[name] = value
    encoder = checkpoint.from_release(encoder, checkpoint.TRANSFER_ENCODER_NAMES)
    ours.update({f'backbone.{name}': value for name, value in encoder.items()})
    return {**ours, **_heads(release, 'backbone.')}


def _segmentor_to_release(ours: State, grid: Grid) -> State:
    encoder = checkpoint.to_release(encoder_part(ours), checkpoint.TRANSFER_ENCODER_NAMES)
    release = {}
    for name, value in encoder.items():
        release[f'backbone.{name}'] = value
        if name.endswith('.relative_position_bias_table'):
            index = relative_position_index(grid, torch.device('cpu'))
            release[f'backbone.{name.replace("bias_table", "index")}'] = index.clone()
    for theirs, mine in PYRAMID.items():
        for name, value in ours.items():
            if name.startswith(mine):
                release[f'backbone.{theirs}{name.removeprefix(mine)}'] = value
    return {**release, **_heads(ours, 'backbone.', 'neck.')}


def _heads(state: State, *elsewhere: str) -> State:
    """The heads, whose names are mmseg's in both layouts."""
    unknown = [name for name in state if not name.startswith((*elsewhere, *HEADS))]
    if unknown:
        raise ValueError(
            f'Expected a segmentation model of a backbone, {" and ".join(HEADS)} found '
            f'{unknown[0]!r}; check which kind of checkpoint this is.'
        )
    return {name: value for name, value in state.items() if name.startswith(HEADS)}


def _check_index(name: str, stored: torch.Tensor) -> None:
    side = round((len(stored) - 1) ** 0.5)
    if not torch.equal(stored, relative_position_index((side, side), torch.device('cpu'))):
        raise ValueError(
            f'Expected the relative positions of a square grid in {name!r}, found others; check '
            'that this is a segmentation model of the release.'
        )
