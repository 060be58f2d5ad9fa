"""Whether schedules count what the run counts, and end where it ends."""

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from mmengine.registry import PARAM_SCHEDULERS

from ..data.files import Finding
from .case import Case, in_words

# They multiply the rate, the last where it ends at 0, and so may lie over a warm-up.
FACTORS = ('MultiStepLR', 'StepLR', 'ConstantLR', 'ExponentialLR', 'PolyLR')


def check_schedule(case: Case) -> Iterator[Finding]:
    """Learning rate, teacher and feature weight, checkpoints and validation."""
    unit = 'iterations' if case.iteration_based else 'epochs'
    findings = [
        *rate_findings(case, unit),
        *step_findings(case),
        *teacher_findings(case),
        *interval_findings(case, unit),
    ]
    yield from findings
    if not any(finding.level != 'note' for finding in findings):
        yield Finding('ok', f'All schedules end with the run, after {case.length:,} {unit}.')


def schedulers(case: Case) -> list[Mapping]:
    """The configs of the schedulers."""
    found = case.cfg.get('param_scheduler') or []
    return [found] if isinstance(found, Mapping) else list(found)


def rate_findings(case: Case, unit: str) -> Iterator[Finding]:
    """Units, ends and gaps of the learning rate's schedule."""
    counted, end = [], 0
    for index, scheduler in enumerate(schedulers(case)):
        name = f'param_scheduler.{index} ({scheduler.get("type")})'
        wrong_unit = _wrong_unit(case, scheduler, name)
        if wrong_unit:
            yield Finding('error', wrong_unit)
        elif scheduler.get('by_epoch', True) != case.iteration_based:
            counted.append((name, scheduler))
    for name, scheduler in counted:
        begin, stop = scheduler.get('begin', 0), scheduler.get('end', case.length)
        if begin >= stop or begin >= case.length:
            yield Finding(
                'error' if begin >= stop else 'warning',
                f'Expected {name} to begin before it ends and before the run does, found begin='
                f'{begin}, end={stop} in a run of {case.length} {unit}; correct them.',
            )
        elif end and (begin > end or (begin < end and not multiplies(scheduler))):
            yield Finding(
                'warning',
                f'Expected {name} to begin at {end}, where the one before it ends, found {begin}; '
                'correct one of them.',
            )
        end = stop
        late = [m for m in scheduler.get('milestones', ()) if m >= case.length]
        if late:
            yield Finding(
                'warning',
                f'Expected milestones of {name} within the {case.length} {unit} of the run, found '
                f'{", ".join(map(str, late))}; correct them.',
            )
    if counted and end != case.length:
        yield Finding(
            'warning',
            f'Expected {counted[-1][0]} to end with the run, after {case.length} {unit}, found '
            f'end={end}; set end or the length of the run.',
        )


def multiplies(scheduler: Mapping) -> bool:
    """Whether it changes the rate by factors that do not depend on the rate."""
    return scheduler['type'] in FACTORS and not scheduler.get('eta_min')


def step_findings(case: Case) -> Iterator[Finding]:
    """Build the schedulers for the real number of steps in an epoch."""
    if not case.steps:
        return
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    for index, scheduler in enumerate(schedulers(case)):
        name = f'param_scheduler.{index}'
        begin, end = scheduler.get('begin', 0), scheduler.get('end', case.length)
        converted = scheduler.get('convert_to_iter_based') and begin < end
        if converted and int(begin * case.steps) == int(end * case.steps):
            yield Finding('error', too_short(case, f'{name} ({scheduler.type})', begin, end))
            continue
        try:
            with case.scope():
                PARAM_SCHEDULERS.build(
                    {'end': case.length, **scheduler},
                    default_args=dict(optimizer=optimizer, epoch_length=case.steps),
                )
        except Exception as error:  # constructors of any toolbox may raise anything
            yield Finding('error', f'{name}: {in_words(error)}')


def too_short(case: Case, name: str, begin: float, end: float) -> str:
    """What to set for a part of a schedule that is over within a step: a 20th of the run."""
    steps = -(-case.total_steps // 20)
    enough = math.ceil((begin + steps / case.steps) * 10**4) / 10**4
    return (
        f'Expected {name} to last a step at least, found {begin:.3g} to {end:.3g} epochs of '
        f'{case.steps} steps; set {name.split()[0]}.end={enough:g}.'
    )


def _wrong_unit(case: Case, scheduler: Mapping, name: str) -> str | None:
    by_epoch, end = scheduler.get('by_epoch', True), scheduler.get('end')
    if by_epoch and case.iteration_based:
        return (
            f'Expected {name} to count iterations, as the run does, found by_epoch=True, with '
            'which it would not move; set by_epoch=False.'
        )
    if not by_epoch and not case.iteration_based and end == case.length:
        return (
            f'Expected {name} to count epochs, as its end={end} is that of the run, found '
            'by_epoch=False, with which it counts batches; set by_epoch=True and '
            'convert_to_iter_based=True.'
        )
    return None


def teacher_findings(case: Case) -> Iterator[Finding]:
    """Milestones of the teacher's decay, and the ramp of the feature weight."""
    hook = case.hook('MomentumTeacherHook')
    if hook is None:
        return
    if hook.get('memory') is not None:
        yield from memory_findings(hook['memory'])
        return
    epochs, decays = zip(*hook.milestones, strict=True)
    if list(epochs) != sorted(set(epochs)) or not all(0.5 < decay <= 1 for decay in decays):
        yield Finding(
            'error',
            'Expected milestones of MomentumTeacherHook with rising epochs and with decays, the '
            f'share that the teacher keeps, close to 1, found {_pairs(hook.milestones)}; correct '
            'them.',
        )
    elif len(epochs) > 1 and epochs[1] > case.length:
        yield Finding(
            'warning',
            f'Expected milestones of MomentumTeacherHook within the {case.length} epochs of the '
            f'run, found {_pairs(hook.milestones)}; scale them with its length.',
        )
    elif epochs[-1] > case.length:
        yield Finding(
            'note',
            f'The teacher is still on its way to a decay of {decays[-1]} (epoch {epochs[-1]}) when '
            f'the run ends after {case.length}.',
        )


def memory_findings(memory: Sequence[tuple[float, float]]) -> Iterator[Finding]:
    """Shares of the run at which the teacher's memory is set, and that memory."""
    shares, kept = zip(*memory, strict=True)
    rising = list(shares) == sorted(set(shares))
    if not (rising and shares[0] >= 0 and shares[-1] <= 1 and min(kept) > 0):
        yield Finding(
            'error',
            'Expected memory of MomentumTeacherHook with rising shares of the run, from 0 to 1, '
            f'and a memory above 0 at each, found {_pairs(memory)}; correct them.',
        )


def interval_findings(case: Case, unit: str) -> Iterator[Finding]:
    """Checkpoints and validation that would never come."""
    saving = (case.cfg.get('default_hooks') or {}).get('checkpoint') or {}
    if saving and case.iteration_based and saving.get('by_epoch', True):
        yield Finding(
            'error',
            'Expected checkpoints to be counted in iterations, as the run is, found by_epoch=True '
            'in default_hooks.checkpoint, with which none is written in between; set it to False.',
        )
    every = case.cfg.train_cfg.get('val_interval', 1)
    if case.cfg.get('val_dataloader') is not None and every > case.length:
        yield Finding(
            'warning',
            f'Expected a validation within the {case.length} {unit} of the run, found '
            f'train_cfg.val_interval={every}; lower it.',
        )


def _pairs(milestones) -> str:
    return ', '.join(f'({epoch}, {decay})' for epoch, decay in milestones)
