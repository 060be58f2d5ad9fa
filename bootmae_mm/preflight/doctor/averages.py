"""How much of its start is left in a moving average of weights when the run ends."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
from mmengine.hooks import EMAHook
from mmengine.registry import HOOKS

from ...engine.ema import OptimizerStepEMAHook
from ...engine.hooks import named_hooks
from ...pretrain.schedules import decay_of_memory, teacher_decay
from ...pretrain.teacher import MomentumTeacher
from ..data.files import Finding
from .case import Case

# The teacher only gives targets, the averaged weights are the result: with 1 % left, a tenth of
# them is from before the middle of the run. The paper's recipes leave less than 0.1 % of either.
MOST_OF_TEACHER, MOST_OF_WEIGHTS = 0.1, 0.01
TIMES = 7  # that an average's span of 1 / momentum steps should fit into the run: leaves 0.1 %


def check_averages(case: Case) -> Iterator[Finding]:
    """The momentum teacher and the averages of the weights."""
    hooks = case.cfg.get('custom_hooks') or {}
    named = named_hooks(hooks) if isinstance(hooks, Mapping) else dict(enumerate(hooks))
    for name, hook in named.items():
        if hook is None or not case.total_steps:
            continue
        if hook['type'] == 'MomentumTeacherHook':
            yield from teacher_findings(case, f'custom_hooks.{name}', hook)
        elif issubclass(hook_class(case, hook['type']), EMAHook):
            yield from average_findings(case, f'custom_hooks.{name}', hook)


def hook_class(case: Case, kind: str | type) -> type:
    """The class of a hook; ``object`` for an unknown one."""
    with case.scope(), HOOKS.switch_scope_and_registry(None) as registry:
        found = registry.get(kind) if isinstance(kind, str) else kind
    return found or object


def teacher_findings(case: Case, name: str, hook: Mapping) -> Iterator[Finding]:
    """The teacher, which moves once an optimiser step."""
    if not isinstance(getattr(case.model, 'teacher', None), MomentumTeacher):
        return
    left = left_of_teacher(hook, case.length, case.steps)
    if left <= MOST_OF_TEACHER:
        yield Finding('ok', f'{left:.2g} of its start is left in the teacher at the end.')
        return
    schedule = 'milestones' if hook.get('memory') is None else 'memory'
    yield Finding(
        'warning',
        f'Expected a teacher that learns from the student, found that {left:.0%} of its random '
        f'start is left after {case.total_steps:,} steps with the {schedule} of {name}; set '
        f'{name}.{schedule}={faster(hook, case.length, case.steps)}, or take '
        'more steps (a smaller total batch, more epochs).',
    )


def left_of_teacher(hook: Mapping, epochs: int, steps: int) -> float:
    """The product of the decays of all steps."""
    memory = hook.get('memory')
    if memory is not None:
        total = epochs * steps
        return math.prod(decay_of_memory(step, total, memory) for step in range(total))
    return math.prod(teacher_decay(e, hook['milestones']) ** steps for e in range(epochs))


def faster(hook: Mapping, epochs: int, steps: int) -> list[tuple[float, float]]:
    """The schedule with which 1 % is left, all (1 - decay) being multiplied by one factor."""
    factor = math.log(0.01) / math.log(left_of_teacher(hook, epochs, steps))
    if hook.get('memory') is not None:
        return [(share, float(f'{kept / factor:.1e}')) for share, kept in hook['memory']]
    taken = [(e, float(f'{min(0.5, factor * (1 - decay)):.1e}')) for e, decay in hook['milestones']]
    return [(epoch, round(1 - part, 9)) for epoch, part in taken]


def average_findings(case: Case, name: str, hook: Mapping) -> Iterator[Finding]:
    """An average of the weights, ours over optimiser steps, those of the toolboxes over batches."""
    per_step = issubclass(hook_class(case, hook['type']), OptimizerStepEMAHook)
    begin = (
        max(hook.get('begin_iter', 0), 1)
        - 1
        + ((max(hook.get('begin_epoch', 0), 1) - 1) * case.steps * case.accumulated)
    )
    updates = case.total_steps * case.accumulated - begin
    updates = max(1, updates // case.accumulated if per_step else updates)
    left = left_of_average(hook, updates)
    if left is None:
        return
    if left <= MOST_OF_WEIGHTS:
        yield Finding('ok', f'{left:.2g} of their start is left in the averaged weights.')
        return
    advice = f'leave {name} out'
    if updates > 2 * TIMES:
        advice = f'set {name}.momentum={TIMES / updates:.2g}, or {advice}'
    yield Finding(
        'warning',
        'Expected averaged weights (EMA), which are evaluated and kept, that have learned, found '
        f'that {left:.0%} of their start is left after {updates:,} updates with {name}.momentum='
        f'{hook.get("momentum", 0.0002):.3g}; {advice}.',
    )


def left_of_average(hook: Mapping, updates: int) -> float | None:
    """The product of what mmengine's averages keep at each update; the first of these copies.

    None for a kind of average that is not known here.
    """
    momentum, interval = hook.get('momentum', 0.0002), hook.get('interval', 1)
    counts = np.arange(interval, updates, interval)
    kind = hook.get('ema_type', 'ExponentialMovingAverage')
    if kind == 'ExponentialMovingAverage':
        taken = np.full(len(counts), momentum)
    elif kind == 'MomentumAnnealingEMA':
        gamma = hook.get('gamma', 100)
        taken = np.maximum(momentum, gamma / (gamma + counts))
    else:
        return None
    return float(np.prod(1 - taken))
