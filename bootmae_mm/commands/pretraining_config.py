"""The config of a pretraining, as a document; and what decides it."""

import shlex
from datetime import date
from pathlib import Path
from typing import NamedTuple

from .encoders import Encoder
from .machine import Machine
from .pictures import Pictures
from .recipe import ENOUGH_STEPS, LARGEST_BATCH, TEACHER_MEMORY, Recipe
from .shapes import Arch, Shape
from .writing import base, call, comment

BASE = 'pretrain/bootmae_vitb_800e'
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]  # of ImageNet
CHECKPOINTS, PICTURES = 100, 16  # in a run


class Wish(NamedTuple):
    """What the user asks for; None where the command is to choose.

    Attributes:
        pictures: The folder.
        out: Where the run is written.
        arch: One of ``ARCHS``.
        size: ``(height, width)`` of the input in pixels.
        patch: Side of a patch in pixels.
        epochs: Passes over the pictures.
        hours: Instead: how long training may take.
        start: A run to start from.
    """

    pictures: str
    out: str
    arch: str | None = None
    size: tuple[int, int] | None = None
    patch: int | None = None
    epochs: int | None = None
    hours: float | None = None
    start: str | None = None

    def command(self) -> str:
        """As it is typed."""
        size = self.size and f'{self.size[0]}x{self.size[1]}'
        options = dict(
            arch=self.arch, size=size, patch=self.patch, epochs=self.epochs, hours=self.hours,
            out=self.out,
        )  # fmt: skip
        options['from'] = self.start
        words = [f'--{name} {shlex.quote(str(v))}' for name, v in options.items() if v is not None]
        return ' '.join(['python -m bootmae_mm pretrain', shlex.quote(self.pictures), *words])


class Choice(NamedTuple):
    """What the command chose.

    Attributes:
        pictures: The folder's.
        machine: To train on.
        name: Of the encoder, one of ``ARCHS``, or that of the run to start from.
        arch: The encoder.
        shape: Of the input.
        recipe: Of the run.
        processes: A power of two, so that they share the total batch: one for each GPU.
        batch: Pictures of one GPU at a time.
        workers: Processes per GPU that load pictures.
        start: The encoder to start from, if any.
    """

    pictures: Pictures
    machine: Machine
    name: str
    arch: Arch
    shape: Shape
    recipe: Recipe
    processes: int
    batch: int
    workers: int
    start: Encoder | None

    @property
    def memory(self) -> int:
        """Bytes for each process."""
        memory = self.machine.memory
        return memory if self.machine.gpus else memory // self.processes


def config_text(wish: Wish, choice: Choice) -> str:
    """The config of a run, with a reason for every number."""
    parts = (head(wish, choice), length(choice), model(choice), data(choice), schedule(choice))
    return '\n'.join(parts)


def head(wish: Wish, choice: Choice) -> str:
    """The docstring, the base and the folders."""
    return f'''"""BootMAE on {choice.recipe.pictures:,} pictures, written on {date.today()} by

    {wish.command()}

Train      python -m bootmae_mm train THIS_FILE      (again: goes on where it stopped)
Check      python -m bootmae_mm doctor THIS_FILE
"""

{base(BASE)}

work_dir = {str(Path(wish.out).expanduser().absolute())!r}
pictures = {str(choice.pictures.folder)!r}
'''


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
    mean, std, origin = (MEAN, STD, "ImageNet's, worth most in the study on photographs")
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


def data(choice: Choice) -> str:
    """Pipeline and loader."""
    shape, (rows, columns) = choice.shape, choice.shape.grid
    num_masked = round(0.75 * shape.patches)
    kind = 'BlockwiseMasking' if choice.recipe.as_in_paper else 'RandomMasking'
    loading = comment(
        f'For {choice.processes} × {choice.machine.device}: as many pictures at a time as its',
        'memory takes, and as many loading processes as keep it busy.',
    )
    return f"""# 75 % of {rows} × {columns} = {shape.patches} patches are hidden.
train_pipeline = _base_.train_pipeline
train_pipeline[1].update(scale={shape.size})
train_pipeline[2] = dict(type={kind!r}, grid={shape.grid}, num_masked={num_masked})
{loading}
train_dataloader = dict(
    batch_size={choice.batch},
    num_workers={choice.workers},
    persistent_workers={choice.workers > 0},
    pin_memory={choice.machine.gpus > 0},
    sampler=dict(total_batch_size=total_batch_size),
    dataset=dict(data_root=pictures, pipeline=train_pipeline),
)
"""


def schedule(choice: Choice) -> str:
    """Optimiser, schedules, teacher, checkpoints."""
    epochs = choice.recipe.epochs
    waiting = (
        '' if choice.workers else '    data_wait=None,  # it loads its own pictures\n'
    )
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
