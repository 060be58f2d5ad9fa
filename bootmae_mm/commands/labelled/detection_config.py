"""The config of a detection, as a document; and what decides it."""

import math
from typing import NamedTuple

from ..encoders import Encoder
from ..fitting import Fit
from ..machine import Machine
from ..shapes import arch_of
from ..wish import Wish
from ..writing import comment, head, listed
from .common import SMALL, encoder_lines
from .instances import Instances
from .recipe import LabelledRecipe
from .segmentation_config import stage_blocks

SMALL_BASE, BASE = 'photos/photos_detect', 'det/mask_rcnn_bootmae_vitb_1x'
SHORT, SMALL_SHORT = 800, 128  # short side of the pictures: COCO's; without a GPU
LONG = 5 / 3  # long side at most, as a multiple: 1333 of 800
VALIDATIONS = 10  # in a run


class Choice(NamedTuple):
    """What the command chose.

    Attributes:
        encoder: To start from.
        instances: Pictures and annotations.
        recipe: How long, and how.
        machine: To train on.
        size: ``(height, width)`` of the median picture.
    """

    encoder: Encoder
    instances: Instances
    recipe: LabelledRecipe
    machine: Machine
    size: tuple[int, int]

    @property
    def scale(self) -> tuple[int, int]:
        """Long and short side at most, in pixels: no picture is made more than twice as large."""
        short = min(SHORT if self.machine.gpus else SMALL_SHORT, 2 * min(self.size))
        return round(LONG * short), short


def config_text(wish: Wish, choice: Choice, found: Fit | None) -> str:
    """The config of a run, with a reason for every number; one to measure with until it is known
    what fits."""
    name, _ = arch_of(choice.encoder.backbone['arch'])
    small = name == SMALL
    kind = 'Mask R-CNN' if choice.instances.masks else 'Faster R-CNN'
    title = f'{kind} for {len(choice.instances.names):,} classes'
    parts = (
        head(wish, title, SMALL_BASE if small else BASE),
        length(choice),
        model(choice, small),
        data(choice, found),
        schedule(choice, small),
    )
    return '\n'.join(parts)


def length(choice: Choice) -> str:
    """Batch, epochs, rate."""
    recipe = choice.recipe
    steps = comment(
        f'{recipe.pictures:,} pictures make {recipe.epoch_steps:,} steps an epoch,',
        f'{recipe.steps:,} in all (the paper: 88,000 of 16 pictures).',
    )
    rate = comment('Ours for COCO, 4e-4 × √(batch / 16), and × 768 / width for narrower encoders.')
    return f"""{steps}
total_batch_size = {recipe.total_batch}
max_epochs = {recipe.epochs}
{rate}
lr = {recipe.rate:g}
"""


def model(choice: Choice, small: bool) -> str:
    """Encoder, adapter, heads."""
    encoder, (_, arch) = choice.encoder, arch_of(choice.encoder.backbone['arch'])
    blocks, masks = stage_blocks(encoder), choice.instances.masks
    mask_head = 'mask_head=dict(num_classes=num_classes),'
    if not masks:
        mask_head = 'mask_roi_extractor=None,\n        mask_head=None,'
    return f"""# The encoder and its input, as they were pretrained; blocks {blocks} are handed on.
num_classes = {len(choice.instances.names)}
model = dict(
    type={'MaskRCNN' if masks else 'FasterRCNN'!r},
    data_preprocessor=dict(
        mean={encoder.mean},
        std={encoder.std},
        pad_mask={masks},
    ),
    backbone=dict(
{encoder_lines(encoder, f'out_indices={blocks},')}
    ),
    roi_head=dict(
        bbox_head=dict(num_classes=num_classes),
        {mask_head}
    ),
)
model['neck'] = _base_.model.neck
model['neck'][0].update(embed_dims={arch.width})
model['neck'][1].update(in_channels=[{arch.width}] * 4)
"""


def data(choice: Choice, found: Fit | None) -> str:
    """Pictures, pipelines, loaders, scores."""
    total, instances = choice.recipe.total_batch, choice.instances
    batch, workers = (found.batch(total), found.workers) if found else (total, 0)
    train, val = (
        f'ann_file={str(part.file)!r},\n        data_prefix=dict(img={f"{part.folder}/"!r}),'
        for part in (instances.train, instances.val)
    )
    return f"""{listed('classes', instances.names)}
dataset = dict(data_root='', metainfo=dict(classes=classes))
scale = {choice.scale}  # the long and the short side at most
train_pipeline = _base_.train_dataloader.dataset.pipeline
train_pipeline[1].update(with_mask={instances.masks})
train_pipeline[2].update(scale=scale)
val_pipeline = _base_.val_dataloader.dataset.pipeline
val_pipeline[1].update(scale=scale)
loader = dict(batch_size={batch}, num_workers={workers}, persistent_workers={workers > 0})
train_dataloader = dict(
    **loader,
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
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    ann_file={str(instances.val.file)!r},
    metric={['bbox', 'segm'] if instances.masks else ['bbox']},
)
test_evaluator = val_evaluator
"""


def schedule(choice: Choice, small: bool) -> str:
    """Optimiser, schedules, checkpoints."""
    every = math.ceil(choice.recipe.epochs_between(VALIDATIONS, choice.instances.val.count))
    dtype = f'dtype={choice.machine.dtype!r}, ' if not small else ''
    warm_up = choice.recipe.warm_up(1 / 20)
    rates = """milestones = [max_epochs * 2 // 3, max_epochs * 11 // 12]
param_scheduler[1].update(end=max_epochs, milestones=milestones)"""
    if small:
        rates = f"""warmup_epochs = {warm_up:g}
param_scheduler[0].update(end=warmup_epochs)
param_scheduler[1].update(begin=warmup_epochs, end=max_epochs)"""
    return f"""optim_wrapper = dict({dtype}optimizer=dict(lr=lr))
param_scheduler = _base_.param_scheduler
{rates}
train_cfg = dict(max_epochs=max_epochs, val_interval={every})
custom_hooks = dict(total_batch=dict(total_batch_size=total_batch_size))
default_hooks = dict(checkpoint=dict(interval={every}))
"""
