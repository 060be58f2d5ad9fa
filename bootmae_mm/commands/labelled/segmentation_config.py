"""The config of a segmentation, as a document; and what decides it."""

import math
from pathlib import Path
from typing import NamedTuple

from ..encoders import Encoder
from ..fitting import Fit
from ..machine import Machine
from ..shapes import arch_of, depth_of
from ..wish import Wish
from ..writing import comment, head, listed
from .common import SMALL, encoder_lines
from .label_folders import LabelFolders
from .recipe import LabelledRecipe

SMALL_BASE, BASE = 'photos/photos_segment', 'seg/upernet_bootmae_vitb_160k'
PATCHES, FEW_PATCHES = 32, 12  # on a side of the crop: the paper's; without a GPU
STAGES = (4, 6, 8, 12)  # blocks of 12 that the heads see
VALIDATIONS = 10  # in a run


class Choice(NamedTuple):
    """What the command chose.

    Attributes:
        encoder: To start from.
        scenes: Pictures and label maps.
        recipe: How long, and how.
        machine: To train on.
        crop: Side of the crops in pixels, which is the pictures' short side as well.
    """

    encoder: Encoder
    scenes: LabelFolders
    recipe: LabelledRecipe
    machine: Machine
    crop: int


def crop_size(patch: int, on_gpu: bool, short_side: int) -> int:
    """Whole patches, as many as the pictures have and the machine has time for."""
    return patch * max(2, min(PATCHES if on_gpu else FEW_PATCHES, short_side // patch))


def stage_blocks(encoder: Encoder) -> list[int]:
    """The blocks, from 0, whose outputs are handed on: 4, 6, 8 and 12 of 12, or their shares."""
    depth = depth_of(encoder.backbone['arch'])
    return [round(depth * stage / 12) - 1 for stage in STAGES]


def config_text(wish: Wish, choice: Choice, found: Fit | None) -> str:
    """The config of a run, with a reason for every number; one to measure with until it is known
    what fits."""
    name, _ = arch_of(choice.encoder.backbone['arch'])
    small = name == SMALL
    title = f'UperNet for {len(choice.scenes.names):,} classes'
    parts = (
        head(wish, title, SMALL_BASE if small else BASE),
        length(choice),
        model(choice, small),
        data(choice, found, small, wish.config.parent),
        schedule(choice, small),
    )
    return '\n'.join(parts)


def length(choice: Choice) -> str:
    """Batch, iterations, rate."""
    recipe = choice.recipe
    steps = comment(
        f'{recipe.epochs:,} epochs of {recipe.pictures:,} pictures (the paper: 126 of 20,210).'
    )
    rate = comment("The paper's 4e-4 at a batch of 16, × 768 / width for narrower encoders.")
    return f"""total_batch_size = {recipe.total_batch}
{steps}
max_iters = {recipe.steps}
warmup_iters = {max(1, min(1500, recipe.steps // 10))}
{rate}
lr = {recipe.rate:g}
"""


def model(choice: Choice, small: bool) -> str:
    """Encoder, adapter, heads."""
    encoder, (_, arch) = choice.encoder, arch_of(choice.encoder.backbone['arch'])
    blocks = stage_blocks(encoder)
    crop, width = choice.crop, arch.width
    wide = f', in_channels=[{width}] * 4, channels={width}' if not small else ''
    slide = f'dict(crop_size={(crop,) * 2}, stride={(crop * 2 // 3,) * 2})'
    return f"""# The encoder and its input, as they were pretrained; blocks {blocks} are handed on.
num_classes = {len(choice.scenes.names)}
model = dict(
    data_preprocessor=dict(
        mean={encoder.mean},
        std={encoder.std},
        size={(crop, crop)},
    ),
    backbone=dict(
{encoder_lines(encoder, f'out_indices={blocks},')}
    ),
    neck=dict(embed_dims={width}),
    decode_head=dict(num_classes=num_classes{wide}),
    auxiliary_head=dict(num_classes=num_classes, in_channels={width}),
    {f'test_cfg={slide},' if not small else '# tested on whole pictures'}
)
"""


def data(choice: Choice, found: Fit | None, small: bool, folder: Path) -> str:
    """Pictures, pipelines, loaders."""
    scenes, total, crop = choice.scenes, choice.recipe.total_batch, choice.crop
    processes, workers = (found.processes, found.workers) if found else (1, 0)
    first = 2 if small else 3  # place of RandomResize, before RandomCrop
    lists = ['', ''] if scenes.lists is None else [folder / f'{n}.txt' for n in ('train', 'val')]
    train, val = (
        f'data_prefix=dict(img_path={images!r}, seg_map_path={maps!r}),\n'
        f'        ann_file={str(file)!r},'
        for (images, maps), file in zip(scenes.prefixes, lists, strict=True)
    )
    return f"""{listed('classes', scenes.names)}
dataset = dict(
    _delete_=True,
    type='SegmentationFolders',
    data_root={str(scenes.root)!r},
    reduce_zero_label={scenes.zero_is_no_label},  # whether 0 is no label and classes count from 1
    metainfo=dict(classes=classes),
)
# Pictures of half to twice this short side, and crops of it.
scale = {(4 * crop, crop)}
train_pipeline = _base_.train_dataloader.dataset.pipeline
train_pipeline[{first}].update(scale=scale)
train_pipeline[{first + 1}].update(crop_size={(crop, crop)})
val_pipeline = _base_.val_dataloader.dataset.pipeline
val_pipeline[1].update(scale=scale)
loader = dict(num_workers={workers}, persistent_workers={workers > 0})
train_dataloader = dict(
    **loader,
    batch_size={total // processes},  # × {processes}, all of them in every step
    dataset=dict(
        **dataset,
        {train}
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    **loader,
    dataset=dict(
        **dataset,
        {val}
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader
"""


def schedule(choice: Choice, small: bool) -> str:
    """Optimiser, schedules, checkpoints."""
    recipe, (_, val) = choice.recipe, choice.scenes.counts
    every = math.ceil(recipe.epochs_between(VALIDATIONS, val) * recipe.epoch_steps)
    dtype = f'dtype={choice.machine.dtype!r}, ' if not small else ''
    begin = 'begin=warmup_iters, ' if small else ''
    return f"""optim_wrapper = dict({dtype}optimizer=dict(lr=lr))
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(end=warmup_iters)
param_scheduler[1].update({begin}end=max_iters)
train_cfg = dict(max_iters=max_iters, val_interval={every})
custom_hooks = dict(total_batch=dict(total_batch_size=total_batch_size))
default_hooks = dict(checkpoint=dict(interval={every}))
"""
