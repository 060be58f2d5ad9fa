"""A plan in plain text."""

import statistics

from mmengine.config import Config

from .arithmetic import Measurement, Plan, Recipe, batches_per_epoch


def as_text(name: str, cfg: Config, recipe: Recipe, measured: Measurement, plan: Plan) -> str:
    """The measurement, the run, and what was assumed, some thirty lines."""
    sections = {
        f'Plan of {name} on {gpus(plan)}': [],
        'Measured': measured_lines(measured),
        'The whole run': run_lines(recipe, measured, plan),
        'Assumed': [('-', line) for line in assumptions(cfg, recipe, measured, plan)],
    }
    lines = []
    for head, rows in sections.items():
        lines += ['', head, *(f'  {key:<{16 if key != "-" else 1}} {text}' for key, text in rows)]
    return '\n'.join(lines[1:])


def measured_lines(measured: Measurement) -> list[tuple[str, str]]:
    """What was measured, on what."""
    seconds = measured.seconds
    spread = f'{min(seconds):.3f} to {max(seconds):.3f} s, {len(seconds)} steps'
    return [
        ('machine', f'{measured.machine}, {measured.date}'),
        ('step', f'{statistics.median(seconds):.3f} s for {measured.batch} images ({spread})'),
        ('model', f'{rate(measured.rate)} images/s'),
        ('memory', f'{gib(measured.peak_bytes)}, of which {gib(measured.fixed_bytes)} are weights, '
         'gradients and optimiser'),
        ('data', f'{rate(measured.data_rate)} images/s per process: {measured.data_source}'),
    ]  # fmt: skip


def run_lines(recipe: Recipe, measured: Measurement, plan: Plan) -> list[tuple[str, str]]:
    """What the run takes."""
    factors = f'{recipe.batch} per GPU × {gpus(plan)} × {plan.accumulated} accumulated'
    if recipe.iterations is None:
        per_epoch = batches_per_epoch(recipe, plan.gpus)
        length = f'{recipe.epochs} epochs × {per_epoch / plan.accumulated:,.6g} optimiser steps'
    else:
        length = f'{recipe.iterations:,} iterations'
    seen = plan.batches * recipe.batch * plan.gpus
    return [
        ('training set', f'{recipe.images:,} images'),
        ('total batch', f'{recipe.total_batch} = {factors}'),
        ('length', f'{length}; {seen:,} images seen'),
        ('speed', f'{rate(plan.rate * plan.gpus)} images/s, {rate(plan.rate)} per GPU'),
        ('time', duration(plan.hours)),
        ('cost', f'{rate(plan.gpu_hours)} GPU-hours'),
        ('memory', f'{gib(plan.memory_bytes)} per GPU'),
        *data_lines(recipe, plan),
        ('cores', cores(measured, plan)),
    ]


def data_lines(recipe: Recipe, plan: Plan) -> list[tuple[str, str]]:
    """Whether the data pipeline keeps up, and what to change if not."""
    wanted = f'a GPU uses {rate(plan.model_rate)} images/s'
    offered = f'{recipe.workers} workers load {rate(plan.loaded_rate)}'
    if plan.keeps_up:
        return [('data', f'keeps up: {wanted}, {offered}')]
    if not recipe.workers:
        offered = 'with num_workers=0 it waits while each batch is loaded'
    advice = (
        f'train_dataloader.num_workers={plan.workers_needed} would make it '
        f'{duration(plan.hours_without_waiting)}'
    )
    return [('data', f'DOES NOT KEEP UP: {wanted}, {offered}'), ('', advice)]


def cores(measured: Measurement, plan: Plan) -> str:
    """How many processor cores the GPUs need: for the workers that load as fast as they train, and
    one for the training process of each."""
    per_gpu = plan.workers_needed + 1
    return (
        f'{per_gpu * plan.gpus} for {gpus(plan)}: a GPU needs {plan.workers_needed} to load, at '
        f'{rate(measured.data_rate)} images/s each, and 1 to train'
    )


def assumptions(cfg: Config, recipe: Recipe, measured: Measurement, plan: Plan) -> list[str]:
    """What the arithmetic takes for granted."""
    lines = [
        f'every GPU is like the machine measured ({measured.machine})',
        'n GPUs are n times as fast as one: communication between them is not measured',
        'every worker has a core of its own, and files come as fast as they did here',
    ]
    if plan.accumulated > 1:
        lines.append('every batch takes an optimiser step, though some are accumulated')
    if measured.batch != recipe.batch:
        lines.append(
            f'time per image, and memory beyond the fixed part, are those of a batch of '
            f'{measured.batch}, not {recipe.batch}'
        )
    if measured.images is None:
        lines.append(f'the training set has its published size, {recipe.images:,} images')
    if cfg.get('val_cfg') is not None or cfg.get('val_dataloader') is not None:
        lines.append('validation is not counted')
    lines.append('starting, checkpoints and logs are not counted')
    return lines


def gpus(plan: Plan) -> str:
    """Their number, in words."""
    return '1 GPU' if plan.gpus == 1 else f'{plan.gpus} GPUs'


def rate(value: float) -> str:
    """Three significant digits, whole numbers from 100 up."""
    return f'{value:,.0f}' if value >= 100 else f'{value:.3g}'


def gib(count: int) -> str:
    """Bytes as GiB."""
    return f'{count / 2**30:.3g} GiB'


def duration(hours: float) -> str:
    """Hours, and days where there are many; minutes and seconds where there are few."""
    if hours < 1:
        minutes = hours * 60
        return f'{rate(minutes)} minutes' if minutes >= 1 else f'{minutes * 60:.0f} seconds'
    return f'{rate(hours)} hours' + (f' ({hours / 24:.1f} days)' if hours >= 48 else '')
