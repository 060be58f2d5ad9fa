"""Which kind of model a checkpoint holds, and of which sizes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..checkpoint import State
from ..checkpoint.reading import read_meta
from ..encoder.position import Grid, sincos_position_embedding

HEADS = {384: 6, 768: 12, 1024: 16, 1280: 16}  # ViT-S, B, L, H, by width


class Arch(NamedTuple):
    """Sizes of an encoder; ``grid`` is ``(rows, columns)`` of patches, whose side is in pixels."""

    embed_dims: int
    num_layers: int
    num_heads: int
    feedforward_channels: int
    patch_size: int
    grid: Grid
    layer_scale: bool
    relative_position_bias: bool
    final_norm: bool

    @property
    def img_size(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""
        return self.grid[0] * self.patch_size, self.grid[1] * self.patch_size

    def encoder_config(self, **options) -> dict:
        """Config of the ``BootMAEViT``."""
        names = 'embed_dims', 'num_layers', 'num_heads', 'feedforward_channels'
        return dict(
            type='BootMAEViT',
            arch={name: getattr(self, name) for name in names},
            img_size=self.img_size,
            patch_size=self.patch_size,
            layer_scale_init_value=float(self.layer_scale),
            relative_position_bias=self.relative_position_bias,
            **{'final_norm': self.final_norm, **options},
        )


class Weights(NamedTuple):
    """A checkpoint in one of two layouts.

    ``layout`` is 'release' or 'ours'; ``kind`` is 'pretraining', 'classifier', 'segmentor' or
    'encoder' (and what else is in a checkpoint of that kind is not converted).
    """

    layout: str
    kind: str
    state: State


def identify(state: State) -> Weights:
    """Tell layout and kind from the names.

    Raises:
        ValueError: If it is neither of the release nor ours.
    """
    tops = {name.partition('.')[0] for name in state}
    release = any(name.endswith('blocks.0.attn.q_bias') for name in state)
    ours = any(name.endswith('patch_embed.projection.weight') for name in state)
    bare = 'patch_embed' in tops
    if release == ours or not (bare or 'backbone' in tops):
        raise ValueError(
            "Expected a checkpoint of the authors' release or of this project, found names like "
            f'{next(iter(state))!r}; other layouts need no conversion: load them with '
            "init_cfg=dict(type='PretrainedEncoder', checkpoint=path)."
        )
    if tops & {'decode_blocks', 'decode_blocks_1', 'regressor', 'predictor'}:
        kind = 'pretraining'
    elif 'decode_head' in tops:
        kind = 'segmentor'
    elif 'head.weight' in state or 'head.fc.weight' in state:
        kind = 'classifier'
    else:
        kind = 'encoder'
    return Weights('release' if release else 'ours', kind, state)


def model_of_run(source: str | Path) -> dict:
    """The model's config by the settings that a run keeps in its checkpoints; empty if the file
    has none (that :func:`bootmae_mm.checkpoint.read_state_dict` has read without an error)."""
    try:
        meta = read_meta(source)
    except ValueError:  # weights alone
        return {}
    return json.loads(meta.get('training', '{}')).get('model', {})


def infer_arch(encoder: State, settings: Mapping, num_heads: int | None = None) -> Arch:
    """Sizes of an encoder with our names.

    Args:
        encoder: Tensors of the encoder alone.
        settings: What is known of its config, for what weights do not show: the number of heads,
            and which grid a number of patches is.
        num_heads: The number of heads; None for that of the settings, or else the standard one of
            this width.

    Raises:
        ValueError: If the number of heads is not known or does not divide the width, or the grid
            of patches is not known.
    """
    projection = encoder['patch_embed.projection.weight']
    width, patch_size = len(projection), projection.shape[-1]
    table = encoder.get('layers.0.attn.relative_position_bias_table')
    if num_heads is None and isinstance(settings.get('arch'), Mapping):
        num_heads = settings['arch'].get('num_heads')
    if num_heads is None:
        num_heads = HEADS.get(width) if table is None else table.shape[1]
    if num_heads is None:
        raise ValueError(
            f'Expected the number of heads, found none in the checkpoint and no known ViT of width '
            f'{width}; give it with --num-heads.'
        )
    if num_heads < 1 or width % num_heads:
        raise ValueError(
            f'Expected a number of heads that divides the width {width}, found {num_heads}; give '
            'it with --num-heads.'
        )
    blocks = {name.split('.')[1] for name in encoder if name.startswith('layers.')}
    return Arch(
        embed_dims=width,
        num_layers=len(blocks),
        num_heads=num_heads,
        feedforward_channels=len(encoder['layers.0.ffn.layers.0.0.weight']),
        patch_size=patch_size,
        grid=_grid(encoder['pos_embed'], patch_size, settings.get('img_size')),
        layer_scale='layers.0.attn.gamma1.weight' in encoder,
        relative_position_bias=table is not None,
        final_norm='ln1.weight' in encoder,
    )


def _grid(pos_embed: Tensor, patch_size: int, img_size: int | list | None) -> Grid:
    """The grid of a position embedding: that of the run's images; or that whose fixed embedding it
    is; or the square."""
    count, width = pos_embed.shape[1] - 1, pos_embed.shape[2]
    grids = [(rows, count // rows) for rows in range(1, count + 1) if count % rows == 0]
    sides = [img_size] * 2 if isinstance(img_size, int) else img_size or ()
    told = tuple(side // patch_size for side in sides)
    if told in grids:
        return told
    for grid in grids if width % 4 == 0 else ():
        if torch.allclose(pos_embed.float(), sincos_position_embedding(grid, width), atol=1e-3):
            return grid
    for grid in grids:
        if grid[0] == grid[1]:
            return grid
    raise ValueError(
        f'Expected a position embedding of a square grid of patches, or settings of the run that '
        f'say which grid it is, found {count} patches and none; convert a checkpoint that the run '
        'wrote.'
    )
