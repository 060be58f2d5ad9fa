"""The config of a pretraining, as a document; and what decides it."""

from typing import NamedTuple

from .encoders import IMAGENET_MEAN, IMAGENET_STD, Encoder
from .fitting import Fit
from .machine import Machine
from .pictures import Pictures
from .recipe import ENOUGH_STEPS, LARGEST_BATCH, TEACHER_MEMORY, Recipe
from .shapes import Arch, Shape
from .wish import Wish
from .writing import call, comment, head

BASE = 'pretrain/bootmae_vitb_800e'
CHECKPOINTS, PICTURES = 100, 16  # in a run


class Choice(NamedTuple):
    """What the command chose.

    Attributes:
        pictures: The folder's.
        machine: To train on.
        name: Of the encoder, one of ``ARCHS``, or that of the run to start from.
        arch: The encoder.
        shape: Of the input.
        recipe: Of the run.
        start: The encoder to start from, if any.
    """

    pictures: Pictures
    machine: Machine
    name: str
    arch: Arch
    shape: Shape
    recipe: Recipe
    start: Encoder | None


def config_text(wish: Wish, choice: Choice, found: Fit | None = None) -> str:
    """The config of a run, with a reason for every number; one to measure with until it is known
    what fits."""
    found_parts = data(choice, found), schedule(choice, found)
    title = f'BootMAE on {choice.recipe.pictures:,} pictures'
    folder = f'pictures = {str(choice.pictures.folder)!r}\n'
    parts = (head(wish, title, BASE), folder, length(choice), model(choice), *found_parts)
    return '\n'.join(parts)


def length(choice: Choice) -> str:
    """Batch, epochs, rate."""
    plan = choice.recipe
    if plan.total_batch == LARGEST_BATCH:
        why = 'as many as in the paper.'
    elif plan.as_in_paper:
        why = f'the largest power of two with {ENOUGH_STEPS:,} steps in the run (the paper: 4,096).'
    else:
        why = f'few, and still not the {ENOUGH_STEPS:,} steps that the paper needs.'
    batch = comment('Pictures in an optimiser step, on all GPUs together:', why)
    steps = comment(
        f'{plan.pictures:,} // {plan.total_batch:,} = {plan.epoch_steps:,} steps each,',
        f'{plan.steps:,} in all (the paper: 250,000).',
    )
    return f"""{batch}
total_batch_size = {plan.total_batch}
{steps}
max_epochs = {plan.epochs}
# A 20th of the run, as in the paper: 40 of 800 epochs.
warmup_epochs = {plan.warm_up:g}
# The paper's 2.4e-3 × √(batch / 4,096), and × 768 / width for narrower encoders.
lr = {plan.rate:g}
"""


def model(choice: Choice) -> str:
    """Encoder, decoders, input and target."""
    start, arch, recipe = choice.start, choice.arch.backbone, choice.recipe
    mean, std, origin = (
        IMAGENET_MEAN,
        IMAGENET_STD,
        "ImageNet's, worth most in the study on photographs",
    )
    if start is not None:
        mean, std, origin = start.mean, start.std, 'those of the encoder it starts from'
    target = 'Pixels by channel and block-wise masks, as in the paper: the run is long enough.'
    if not recipe.as_in_paper:
        target = (
            f'Pixels of the whole patch and random masks, which are better in runs of fewer than '
            f'{ENOUGH_STEPS:,} steps.'
        )
    why = comment(f'{choice.name}. Mean and deviation of the input: {origin}.', target)
    weights = f"dict(type='PretrainedEncoder', checkpoint={str(start and start.checkpoint)!r})"
    lines = [
        f'data_preprocessor=dict(mean={mean}, std={std}),',
        'backbone=dict(',
        f'    arch={repr(arch) if isinstance(arch, str) else call(dict(_delete_=True, **arch))},',
        f'    img_size={choice.shape.size},',
        f'    patch_size={choice.shape.patch},',
        *([f'    init_cfg={weights},'] if start else []),
        '),',
        f'regressor={call(choice.arch.regressor)},',
        f'predictor={call(choice.arch.predictor)},',
        *([] if recipe.as_in_paper else ["pixel_head=dict(norm='patch'),"]),
    ]
    return f'{why}\nmodel = dict(\n' + ''.join(f'    {line}\n' for line in lines) + ')\n'


def data(choice: Choice, found: Fit | None) -> str:
    """Pipeline and loader."""
    total, processes = choice.recipe.total_batch, found.processes if found else 1
    batch, workers = (found.batch(total), found.workers) if found else (total, 0)
    shape, (rows, columns) = choice.shape, choice.shape.grid
    num_masked = round(0.75 * shape.patches)
    kind = 'BlockwiseMasking' if choice.recipe.as_in_paper else 'RandomMasking'
    loading = comment(
        f'For {processes} × {choice.machine.device}: as many pictures at a time as its',
        'memory takes, and as many loading processes as keep it busy.',
    )
    return f"""# 75 % of {rows} × {columns} = {shape.patches} patches are hidden.
train_pipeline = _base_.train_pipeline
train_pipeline[1].update(scale={shape.size})
train_pipeline[2] = dict(type={kind!r}, grid={shape.grid}, num_masked={num_masked})
{loading}
train_dataloader = dict(
    batch_size={batch},
    num_workers={workers},
    persistent_workers={workers > 0},
    pin_memory={choice.machine.gpus > 0},
    sampler=dict(total_batch_size=total_batch_size),
    dataset=dict(data_root=pictures, pipeline=train_pipeline),
)
"""


def schedule(choice: Choice, found: Fit | None) -> str:
    """Optimiser, schedules, teacher, checkpoints."""
    epochs = choice.recipe.epochs
    waiting = '' if found and found.workers else '    data_wait=None,  # it loads them itself\n'
    teacher = comment(
        'The teacher remembers a tenth of the share of the run that the paper lets it, as a slower',
        'one falls behind in few steps; the feature loss grows over a quarter, as in the paper.',
    )
    return f"""optim_wrapper = dict(dtype={choice.machine.dtype!r}, optimizer=dict(lr=lr))
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(end=warmup_epochs)
param_scheduler[1].update(begin=warmup_epochs, end=max_epochs, eta_min=lr / 24)  # as the paper's
train_cfg = dict(max_epochs=max_epochs)
{teacher}
custom_hooks = dict(
    total_batch=dict(total_batch_size=total_batch_size),
{waiting}    teacher=dict(milestones=None, memory={TEACHER_MEMORY}),
    feature_weight=dict(by_epoch=False),
    pictures=dict(interval={max(1, epochs // PICTURES)}),
)
default_hooks = dict(checkpoint=dict(interval={max(1, epochs // CHECKPOINTS)}))
"""
