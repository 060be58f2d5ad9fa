"""The encoder in a run or in any checkpoint that can be read, with its weights."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from mmpretrain.registry import MODELS

from ...checkpoint import State
from ...checkpoint.layouts import encoder_state
from ...checkpoint.reading import read_meta, read_tensors
from ...checkpoint.sources import local_path
from ...convert.weights import HEADS, infer_arch
from ...encoder.loading import load_encoder
from ...encoder.vit import BootMAEViT
from ..encoders import IMAGENET_MEAN, IMAGENET_STD, newest_checkpoint

HEAD_WIDTH = 64  # channels of a head in all usual ViTs but ViT-H


class AnyEncoder(NamedTuple):
    """A trained encoder, of any project.

    Attributes:
        checkpoint: The file.
        prefix: Which of several encoders in it; None where that is plain.
        backbone: Config of the ``BootMAEViT``.
        mean: Of the input, for R, G and B from 0 to 255.
        std: Its deviation.
    """

    checkpoint: Path
    prefix: str | None
    backbone: dict
    mean: list[float]
    std: list[float]


class OpenEncoder(NamedTuple):
    """An encoder with its weights.

    Attributes:
        encoder: What it is.
        model: In evaluation mode, on the CPU.
        notes: What was loaded, and what was assumed, a sentence each.
    """

    encoder: AnyEncoder
    model: BootMAEViT
    notes: list[str]


class Unseen(NamedTuple):
    """What the tensors of an encoder do not show; None where it is not known.

    Attributes:
        num_heads: Heads of attention.
        mean: Of the input, for R, G and B from 0 to 255.
        std: Its deviation.
    """

    num_heads: int | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None

    def filled(self, other: 'Unseen') -> 'Unseen':
        """With another's values where this one has none."""
        return Unseen(*(x if x is not None else y for x, y in zip(self, other, strict=True)))


def open_encoder(
    source: str | Path, given: Unseen | None = None, prefix: str | None = None
) -> OpenEncoder:
    """The encoder of a run, or of any checkpoint that :func:`.loading.load_encoder` reads.

    Its sizes are those of the tensors. What these do not show is what is given, or else what a run
    of this project keeps in its checkpoints, or else what is usual, which a note says.

    Args:
        source: The folder of a run, of which the newest checkpoint is taken; or a checkpoint, also
            by its address on the web.
        given: What is known of it.
        prefix: Which of several encoders in the file is meant.

    Raises:
        ValueError: If there is no checkpoint, it has no vision transformer of this kind, or the
            deviation is of colours from 0 to 1.
    """
    given = given or Unseen()
    require_0_to_255(given)
    file = checkpoint_file(source)
    state = read_tensors(file)
    tensors = encoder_state(state, prefix).tensors
    settings = settings_of_run(file)
    known = given.filled(unseen_of_run(settings, tensors))
    unseen = known.filled(usual(tensors))
    backbone = backbone_config(tensors, backbone_of(settings), unseen.num_heads)
    encoder = AnyEncoder(file, prefix, backbone, list(unseen.mean), list(unseen.std))
    model, report = load(encoder, state)
    return OpenEncoder(encoder, model, [f'{file.name}: {report}', *assumed(file, known, unseen)])


def load(encoder: AnyEncoder, state: State | None = None) -> tuple[BootMAEViT, str]:
    """Build an encoder and load its weights.

    Args:
        encoder: What :func:`open_encoder` found.
        state: All tensors of its checkpoint, if they were read already.

    Returns:
        The model in evaluation mode, and the report of :func:`.loading.load_encoder`.

    Raises:
        ValueError: If the file has not all tensors of the model, or others.
    """
    model = MODELS.build(encoder.backbone)
    state = read_tensors(encoder.checkpoint) if state is None else state
    report = load_encoder(model, state, encoder.prefix)
    return model.eval(), report


def checkpoint_file(source: str | Path) -> Path:
    """A run's newest checkpoint, or the file itself, fetched if it is on the web."""
    folder = Path(source).expanduser().absolute()
    return newest_checkpoint(folder) if folder.is_dir() else local_path(source).absolute()


def settings_of_run(checkpoint: Path) -> dict:
    """What a run of this project keeps of its config in its checkpoints; empty if the file, which
    can be read, is of no such run."""
    try:
        return json.loads(read_meta(checkpoint).get('training', '{}'))
    except ValueError:  # weights alone
        return {}


def backbone_of(settings: Mapping) -> dict:
    """The encoder's config among the settings of a run."""
    return (settings.get('model') or {}).get('backbone') or {}


def unseen_of_run(settings: Mapping, tensors: State) -> Unseen:
    """What the settings of a run say; and tables of relative positions, with a column per head."""
    inputs = (settings.get('model') or {}).get('data_preprocessor')
    inputs = inputs or settings.get('data_preprocessor') or {}
    table = bias_table(tensors)
    heads = None if table is None else table.shape[1]
    if arch := backbone_of(settings).get('arch'):
        heads = BootMAEViT.settings_of(arch)['num_heads']
    return Unseen(heads, inputs.get('mean'), inputs.get('std'))


def usual(tensors: State) -> Unseen:
    """What most encoders of this width have, and ImageNet's mean and deviation."""
    width = len(tensors['patch_embed.projection.weight'])
    heads = None if width % HEAD_WIDTH else width // HEAD_WIDTH
    return Unseen(HEADS.get(width, heads), IMAGENET_MEAN, IMAGENET_STD)


def assumed(file: Path, known: Unseen, unseen: Unseen) -> list[str]:
    """A sentence about what was not known, if anything."""
    names = (
        f'{unseen.num_heads} heads (--num-heads)',
        "ImageNet's mean (--mean)",
        "ImageNet's deviation (--std)",
    )
    parts = [name for name, value in zip(names, known, strict=True) if value is None]
    return [f'{file.name} does not say, and assumed are: {", ".join(parts)}'] if parts else []


def backbone_config(tensors: State, settings: Mapping, num_heads: int | None) -> dict:
    """Config of the ``BootMAEViT`` that has these tensors.

    Args:
        tensors: Of the encoder alone, under our names.
        settings: Its config, if it is of a run.
        num_heads: Its heads; None if that is not known.

    Raises:
        ValueError: If it has another feed-forward part, the heads are not known or do not divide
            its width, or the grid of its patches is no square and of no run.
    """
    if 'layers.0.ffn.layers.0.0.weight' not in tensors:
        raise ValueError(
            'Expected an encoder with two linear layers after the attention of each block, found '
            'others (SwiGLU, perhaps); choose another checkpoint.'
        )
    return infer_arch(with_pos_embed(tensors), settings, num_heads).encoder_config()


def with_pos_embed(tensors: State) -> State:
    """With a position embedding of zeros where there are relative positions only, of a square."""
    table = bias_table(tensors)
    if 'pos_embed' in tensors or table is None:
        return tensors
    side = (math.isqrt(len(table) - 3) + 1) // 2
    width = len(tensors['patch_embed.projection.weight'])
    return {**tensors, 'pos_embed': torch.zeros(1, 1 + side**2, width)}


def bias_table(tensors: State) -> torch.Tensor | None:
    """The first block's table of relative positions ``(distances + 3, heads)``, if it has one."""
    return tensors.get('layers.0.attn.relative_position_bias_table')


def require_0_to_255(given: Unseen) -> None:
    """Raise ``ValueError`` if the deviation is of colours from 0 to 1, or comes without a mean."""
    if (given.mean is None) != (given.std is None):
        raise ValueError('Expected --mean and --std together, found one of them; give both.')
    if given.std is not None and min(given.std) <= 1:
        raise ValueError(
            f'Expected --mean and --std of colours from 0 to 255, found {list(given.mean)} and '
            f'{list(given.std)}; multiply them by 255.'
        )
