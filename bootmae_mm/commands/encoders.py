"""The encoder that a command starts from: a run's, or that of a checkpoint file."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from ..checkpoint import State
from ..checkpoint.layouts import encoder_state
from ..checkpoint.reading import read_meta, read_tensors
from ..checkpoint.sources import local_path
from ..convert.weights import HEADS, infer_arch
from ..encoder.loading import load_encoder
from ..encoder.vit import BootMAEViT
from ..engine.run_files import checkpoints, last_checkpoint, numbered

LOGGED = '*/vis_data/config.py'  # below a work_dir: the config of each start, whole
IMAGENET_MEAN, IMAGENET_STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
HEAD_WIDTH = 64  # channels of a head in all usual ViTs but ViT-H


class Encoder(NamedTuple):
    """A trained encoder.

    Attributes:
        checkpoint: The file.
        backbone: ``arch``, ``img_size`` and ``patch_size`` as ``BootMAEViT`` takes them; of
            :func:`open_encoder` its whole config.
        mean: Of the input, for R, G and B from 0 to 255.
        std: Its deviation.
        prefix: Which of several encoders in the file it is, if that is not plain.
    """

    checkpoint: Path
    backbone: dict
    mean: list[float]
    std: list[float]
    prefix: str | None = None


class OpenEncoder(NamedTuple):
    """An encoder with its weights.

    Attributes:
        encoder: What it is.
        model: In evaluation mode, on the CPU.
        notes: What was loaded, and what was assumed, a sentence each.
    """

    encoder: Encoder
    model: BootMAEViT
    notes: list[str]


def find_encoder(source: str | Path) -> Encoder:
    """The encoder of a run, or of one of its checkpoints.

    Args:
        source: The run's folder, of which the newest checkpoint is taken, or a checkpoint in it.

    Raises:
        ValueError: If there is no such run, or it has no checkpoint yet.
    """
    source = Path(source).expanduser().absolute()
    checkpoint = newest_checkpoint(source) if source.is_dir() else source
    if not checkpoint.is_file():
        raise ValueError(
            f'Expected the folder of a run or a checkpoint, found neither at {str(source)!r}; '
            'name one with --from.'
        )
    configs = sorted(checkpoint.parent.glob(LOGGED))
    if not configs:
        raise ValueError(
            f'Expected the logs of a run beside {str(checkpoint)!r}, which say what its encoder '
            f'is, found none ({LOGGED}); name the folder that training wrote.'
        )
    model = Config.fromfile(configs[-1]).model
    backbone = {name: model.backbone[name] for name in ('arch', 'img_size', 'patch_size')}
    inputs = model.data_preprocessor
    return Encoder(checkpoint, backbone, list(inputs.mean), list(inputs.std))


def newest_checkpoint(folder: Path) -> Path:
    """The checkpoint that a run wrote last.

    Raises:
        ValueError: If there is none.
    """
    noted = last_checkpoint(folder)
    if noted is not None and noted.is_file():
        return noted
    found = checkpoints(folder)
    if not found:
        raise ValueError(
            f'Expected a run with a checkpoint in {str(folder)!r}, found none yet; let it train, '
            'or name another with --from.'
        )
    return max(found, key=lambda path: numbered(path.name)[1])


def open_encoder(
    source: str | Path,
    num_heads: int | None = None,
    prefix: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> OpenEncoder:
    """The encoder of a run, or of any checkpoint that :func:`.loading.load_encoder` reads.

    Sizes are those of the tensors. What these do not show, heads and normalisation, is taken from
    the settings that a run keeps in its checkpoints; where there are none it is assumed, and noted.

    Args:
        source: The folder of a run, of which the newest checkpoint is taken; or a checkpoint, also
            by its address on the web.
        num_heads: Heads of attention, if not the run's or the usual number.
        prefix: Which of several encoders in a file is meant.
        mean: Of the input, for R, G and B from 0 to 255, if not the run's or ImageNet's.
        std: Its deviation.

    Raises:
        ValueError: If there is no checkpoint, it has no vision transformer of this kind, or ``mean``
            and ``std`` are not of that range.
    """
    require_0_to_255(mean, std)
    folder = Path(source).expanduser()
    file = newest_checkpoint(folder.absolute()) if folder.is_dir() else local_path(source)
    state = read_tensors(file)
    tensors = encoder_state(state, prefix).tensors
    settings = settings_of_run(file)
    backbone = (settings.get('model') or {}).get('backbone') or {}
    known = num_heads or known_heads(tensors, backbone)
    norm = normalisation(settings)
    encoder = Encoder(
        file.absolute(), config_of(tensors, backbone, known), list(mean or norm[0] or IMAGENET_MEAN),
        list(std or norm[1] or IMAGENET_STD), prefix,
    )  # fmt: skip
    model, report = load(encoder, state)
    assumed = [f'{encoder.backbone["arch"]["num_heads"]} heads (--num-heads)'] * (not known)
    assumed += ["ImageNet's mean (--mean)"] * (not (mean or norm[0]))
    assumed += ["ImageNet's deviation (--std)"] * (not (std or norm[1]))
    notes = [f'{file.name}: {report}']
    if assumed:
        notes.append(f'{file.name} does not say, and assumed are: {", ".join(assumed)}')
    return OpenEncoder(encoder, model, notes)


def load(encoder: Encoder, state: State | None = None) -> tuple[BootMAEViT, str]:
    """Build an encoder of :func:`open_encoder` and load its weights.

    Args:
        encoder: What it is.
        state: All tensors of its checkpoint, if they were read already.

    Returns:
        The model in evaluation mode, and the report of :func:`.loading.load_encoder`.

    Raises:
        ValueError: If the file does not hold all of it, and nothing else in it.
    """
    model = MODELS.build(encoder.backbone)
    state = read_tensors(encoder.checkpoint) if state is None else state
    report = load_encoder(model, state, encoder.prefix)
    return model.eval(), report


def config_of(tensors: State, backbone: Mapping, num_heads: int | None) -> dict:
    """The ``BootMAEViT`` that has these tensors.

    Args:
        tensors: Of the encoder alone, under our names.
        backbone: Its settings, if it is of a run.
        num_heads: Its heads; None for as many as usual.

    Raises:
        ValueError: If it has another feed-forward part, or the heads do not divide its width.
    """
    if 'layers.0.ffn.layers.0.0.weight' not in tensors:
        raise ValueError(
            'Expected an encoder with two linear layers after the attention of each block, found '
            'other ones (as SwiGLU has); choose another checkpoint.'
        )
    width = len(tensors['patch_embed.projection.weight'])
    num_heads = num_heads or HEADS.get(width) or width // HEAD_WIDTH
    return infer_arch(with_pos_embed(tensors), backbone, num_heads).encoder_config()


def known_heads(tensors: State, backbone: Mapping) -> int | None:
    """The number of heads by a run's settings, or a table that has a column for each; None if
    neither is there."""
    if backbone.get('arch'):
        return BootMAEViT.settings_of(backbone['arch'])['num_heads']
    table = tensors.get('layers.0.attn.relative_position_bias_table')
    return None if table is None else table.shape[1]


def with_pos_embed(tensors: State) -> State:
    """With a position embedding of zeros where there are relative positions only, of a square."""
    table = tensors.get('layers.0.attn.relative_position_bias_table')
    if 'pos_embed' in tensors or table is None:
        return tensors
    side = (math.isqrt(len(table) - 3) + 1) // 2
    width = len(tensors['patch_embed.projection.weight'])
    return {**tensors, 'pos_embed': torch.zeros(1, 1 + side**2, width)}


def settings_of_run(checkpoint: Path) -> dict:
    """What a run of this project keeps of its config in its checkpoints; empty if the file, which
    can be read, is of no such run."""
    try:
        return json.loads(read_meta(checkpoint).get('training', '{}'))
    except ValueError:  # weights alone
        return {}


def normalisation(settings: Mapping) -> tuple[list[float] | None, list[float] | None]:
    """Mean and deviation of a run's input; None where it has none."""
    model = settings.get('model') or {}
    inputs = model.get('data_preprocessor') or settings.get('data_preprocessor') or {}
    return inputs.get('mean'), inputs.get('std')


def require_0_to_255(mean: Sequence[float] | None, std: Sequence[float] | None) -> None:
    """Raise ``ValueError`` if the deviation is of colours from 0 to 1, or one comes without the
    other."""
    if (mean is None) != (std is None):
        raise ValueError('Expected --mean and --std together, found one of them; give both.')
    if std is not None and min(std) <= 1:
        raise ValueError(
            f'Expected --mean and --std of colours from 0 to 255, found {list(mean)} and '
            f'{list(std)}; multiply them by 255.'
        )
