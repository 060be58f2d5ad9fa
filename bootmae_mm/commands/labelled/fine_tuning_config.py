"""The config of a fine-tuning, as a document; and what decides it."""

import math
from pathlib import Path
from typing import NamedTuple

from ..encoders import Encoder
from ..fitting import Fit
from ..machine import Machine
from ..shapes import arch_of, pair
from ..wish import Wish
from ..writing import comment, head, listed
from .class_folders import ClassFolders
from .common import SMALL, encoder_lines
from .recipe import LabelledRecipe

SMALL_BASE, BASE = 'photos/photos_finetune', 'finetune/bootmae_vitb_finetune_100e'
AVERAGED = 0.08  # of the run that the averaged weights remember: 5,000 of the paper's 62,400 steps
VALIDATIONS = 20  # in a run
TEST_SIDE = 256 / 224  # of a picture's short side, of which the middle is taken


class Choice(NamedTuple):
    """What the command chose: from which encoder, on which pictures, by which recipe."""

    encoder: Encoder
    classes: ClassFolders
    recipe: LabelledRecipe
    machine: Machine

    @property
    def name(self) -> str:
        """Of the encoder."""
        return arch_of(self.encoder.backbone['arch'])[0]


def config_text(wish: Wish, choice: Choice, found: Fit | None) -> str:
    """The config of a run, with a reason for every number; one to measure with until it is known
    what fits."""
    small = choice.name == SMALL
    title = f'A classifier of {len(choice.classes.names):,} classes'
    parts = (
        head(wish, title, SMALL_BASE if small else BASE),
        length(choice, small),
        model(choice),
        data(choice, found, wish.config.parent),
        schedule(choice, small),
    )
    return '\n'.join(parts)


def length(choice: Choice, small: bool) -> str:
    """Batch, epochs, rate."""
    recipe = choice.recipe
    steps = comment(
        f'{recipe.pictures:,} pictures make {recipe.epoch_steps:,} steps an epoch,',
        f'{recipe.steps:,} in all (the paper: 62,400 of 2,048 pictures).',
    )
    rate = comment("The paper's 5e-3 × √(batch / 2,048), as AdamW's step does not grow with it.")
    return f"""{steps}
total_batch_size = {recipe.total_batch}
max_epochs = {recipe.epochs}
warmup_epochs = {recipe.warm_up(1 / 5):g}  # a fifth, as in the paper
{rate}
lr = {recipe.rate:g}
"""


def model(choice: Choice) -> str:
    """Encoder and head."""
    encoder, (_, arch) = choice.encoder, arch_of(choice.encoder.backbone['arch'])
    return f"""# The encoder and its input, as they were pretrained.
num_classes = {len(choice.classes.names)}
model = dict(
    data_preprocessor=dict(
        num_classes=num_classes,
        mean={encoder.mean},
        std={encoder.std},
    ),
    backbone=dict(
{encoder_lines(encoder)}
    ),
    head=dict(num_classes=num_classes, in_channels={arch.width}),
)
"""


def data(choice: Choice, found: Fit | None, folder: Path) -> str:
    """Pictures, pipelines, loaders, scores."""
    classes, total = choice.classes, choice.recipe.total_batch
    batch, workers = (found.batch(total), found.workers) if found else (total, 0)
    height, width = pair(choice.encoder.backbone['img_size'])
    train, val = (
        dict(data_prefix=prefix, ann_file=str(folder / f'{name}.txt') if classes.lists else '')
        for name, prefix in zip(('train', 'val'), classes.folders, strict=True)
    )
    return f"""{listed('classes', classes.names)}
dataset = dict(data_root={str(classes.root)!r}, split='', classes=classes)
train_pipeline = _base_.train_dataloader.dataset.pipeline
train_pipeline[1].update(scale={(width, height)})
val_pipeline = [
    dict(type='LoadAnyImage'),
    {whole_or_middle(height, width)}
    dict(type='PackInputs'),
]
loader = dict(batch_size={batch}, num_workers={workers}, persistent_workers={workers > 0})
train_dataloader = dict(
    **loader,
    dataset=dict(
        **dataset,
        {inner(train)},
        every=1,  # all of them
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    **loader,
    dataset=dict(
        **dataset,
        {inner(val)},
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(topk={(1, 5) if len(classes.names) > 5 else (1,)})
test_evaluator = val_evaluator
"""


def inner(settings: dict) -> str:
    """Settings inside of a call, a line each."""
    return ',\n        '.join(f'{name}={value!r}' for name, value in settings.items())


def whole_or_middle(height: int, width: int) -> str:
    """The transform that brings a picture to the encoder's size: its middle, or where that is no
    square the whole of it."""
    if height != width:
        return f"dict(type='Resize', scale={(width, height)}, interpolation='bicubic'),"
    edge = round(height * TEST_SIDE)
    return (
        f"dict(type='ResizeEdge', scale={edge}, edge='short', backend='pillow',\n"
        f"         interpolation='bicubic'),\n    dict(type='CenterCrop', crop_size={height}),"
    )


def schedule(choice: Choice, small: bool) -> str:
    """Optimiser, schedules, averages, checkpoints."""
    recipe = choice.recipe
    every = math.ceil(recipe.epochs_between(VALIDATIONS, choice.classes.counts[1]))
    momentum = min(0.1, 1 / (AVERAGED * recipe.steps))
    average = comment(
        "    The averaged weights, which are tested, remember the paper's share of the run."
    )
    ema = '' if small else f'{average}\n    ema=dict(momentum={momentum:.2g}),\n'
    dtype = '' if small else f'dtype={choice.machine.dtype!r}, '
    floor = '' if small else ', eta_min_ratio=1e-6 / lr'
    return f"""optim_wrapper = dict({dtype}optimizer=dict(lr=lr))
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(end=warmup_epochs)
param_scheduler[1].update(begin=warmup_epochs, end=max_epochs{floor})
train_cfg = dict(max_epochs=max_epochs, val_interval={every})
custom_hooks = dict(
    total_batch=dict(type='TotalBatchHook', total_batch_size=total_batch_size),
{ema})
default_hooks = dict(checkpoint=dict(interval={every}))
"""
