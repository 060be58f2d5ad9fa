"""How far training came, and whether it is over."""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from .scalars import Row
from .settings import setting
from .work_dir import WorkDir


class Progress(NamedTuple):
    """How far training came.

    Attributes:
        unit: 'epoch' or 'iteration', by which training goes.
        done: How many of them have begun or are done.
        total: How many there are to be; None where the config does not say.
        iterations: How many were done by the last logged step, or when training was stopped.
        state: A few words: finished, stopped, or neither.
    """

    unit: str
    done: int
    total: int | None
    iterations: int
    state: str

    def __str__(self) -> str:
        reached = f'{self.unit} {self.done}{f" of {self.total}" if self.total else ""}'
        return reached if self.unit == 'iteration' else f'{reached}, iteration {self.iterations}'


def progress(work_dir: WorkDir, at_end: bool) -> Progress:
    """How far training came, by its rows and checkpoints.

    Args:
        work_dir: The folder.
        at_end: Whether the caller knows that training is over.
    """
    training = [row.values for row in work_dir.rows if row.kind == 'train']
    iterations = max(int(training[-1]['iter']) if training else 0, _stopped_at(work_dir))
    if goes_by_epochs(work_dir):
        unit, total = 'epoch', _total(work_dir, 'max_epochs')
        saved = work_dir.saved('epoch')
        logged = int(training[-1].get('epoch', 0)) if training else 0
        done = max(saved, logged, _epoch_of_stop(work_dir))
        complete = max(
            saved, _epochs_passed(work_dir, iterations), _epoch_of_validation(work_dir.rows)
        )
    else:
        unit, total = 'iteration', _total(work_dir, 'max_iters')
        done = complete = iterations = max(iterations, work_dir.saved('iter'))
    over = at_end or (total is not None and complete >= total)
    return Progress(unit, done, total, iterations, 'finished' if over else _state(work_dir))


def goes_by_epochs(work_dir: WorkDir) -> bool:
    """Whether the config counts epochs; without a config, whether rows have any."""
    if setting(work_dir.settings, 'train_cfg', 'max_iters'):
        return False
    if setting(work_dir.settings, 'train_cfg', 'max_epochs'):
        return True
    return any('epoch' in row.values for run in work_dir.runs for row in run.scalars.training)


def _total(work_dir: WorkDir, name: str) -> int | None:
    total = setting(work_dir.settings, 'train_cfg', name)
    return total if isinstance(total, int) else None


def _stopped_at(work_dir: WorkDir) -> int:
    """The iteration at which the newest training was stopped, 0 if it was not."""
    stop = work_dir.trainings[-1].log.stop if work_dir.trainings else None
    return stop.iteration if stop else 0


def _epoch_of_stop(work_dir: WorkDir) -> int:
    """The epoch in which the newest training was stopped, 0 if it was not. It is the first one
    where no log says how long an epoch is, as every epoch logs a step, if only its last."""
    stopped, length = _stopped_at(work_dir), _epoch_length(work_dir)
    return math.ceil(stopped / length) if length else min(stopped, 1)


def _epochs_passed(work_dir: WorkDir, iterations: int) -> int:
    """Whole epochs among iterations; 0 where no log says how long an epoch is."""
    length = _epoch_length(work_dir)
    return iterations // length if length else 0


def _epoch_length(work_dir: WorkDir) -> int | None:
    """Iterations of an epoch, by the newest log that says it."""
    lengths = [run.log.epoch_length for run in work_dir.trainings if run.log.epoch_length]
    return lengths[-1] if lengths else None


def _epoch_of_validation(rows: Sequence[Row]) -> int:
    return max((int(row.values['step']) for row in rows if row.kind == 'val'), default=0)


def _state(work_dir: WorkDir) -> str:
    """Why the newest training ended before its time, as far as its log says."""
    if not work_dir.trainings:
        return 'no training step was logged'
    newest = work_dir.trainings[-1]
    stop = newest.log.stop
    if stop and stop.signal:
        return f'stopped by {stop.signal}, to go on later'
    if stop:
        return 'stopped by a monitor, see below'
    return f'not finished: still running, or ended without a word after {newest.end}'


def time_spent(work_dir: WorkDir) -> timedelta:
    """How long all training runs took together."""
    return sum((run.end - run.start for run in work_dir.trainings), timedelta())
