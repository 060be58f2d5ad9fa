"""Counting the faults of a run: a warning at first, an end when they last."""

from collections.abc import Callable

from mmengine.runner import Runner

from ...engine.run_files import checkpoints, numbered
from .diagnosis import Cause

ADVICE = {
    'input images': 'replace these images and go on from there',
    'teacher update': (
        'look for what keeps the teacher from moving (MomentumTeacherHook has to be in '
        'custom_hooks) and go on from there'
    ),
    'teacher features': 'go on from there with a teacher that moves more slowly',
}
USUAL_ADVICE = (
    'go on from there with a lower learning rate, or with bfloat16 or float32 instead of float16'
)


class UnhealthyTraining(RuntimeError):
    """A run was stopped since it would not learn any more.

    Attributes:
        part: What is to blame: a part of the model, a loss, or the input images.
        checkpoint: Path of the newest checkpoint from before; None if there is none.
    """

    def __init__(self, message: str, part: str, checkpoint: str | None) -> None:
        super().__init__(message)
        self.part = part
        self.checkpoint = checkpoint


class NonFiniteTraining(UnhealthyTraining, FloatingPointError):
    """The same, for values that are not finite."""


class Faults:
    """How often in a row each part was found faulty, and since when.

    Args:
        streaks: ``{part: dict(iter, epoch, count)}``, iteration and epoch of the first time from 0.
    """

    def __init__(self, streaks: dict[str, dict[str, int]]) -> None:
        self.streaks = streaks

    def judge(
        self,
        runner: Runner,
        part: str,
        text: str | None,
        patience: int,
        unit: str = 'measurements',
        diagnose: Callable[[], Cause | None] = lambda: None,
    ) -> None:
        """Count; warn at the first time, stop at the last.

        Args:
            runner: The runner.
            part: The part.
            text: What is wrong with it; None for nothing.
            patience: How often in a row it takes to stop.
            unit: What is counted.
            diagnose: Looks before the stop for what is to blame, more exactly than ``part``.

        Raises:
            UnhealthyTraining: At the last time.
        """
        if text is None:
            self.streaks.pop(part, None)
            return
        streak = self.streaks.setdefault(part, dict(iter=runner.iter, epoch=runner.epoch, count=0))
        streak['count'] += 1
        if streak['count'] >= patience:
            cause = diagnose() or Cause(part, '')
            detail = f'{text} for {patience} {unit} in a row'
            self.stop(runner, Cause(cause.part, f'{detail} {cause.detail}'.rstrip()))
        if streak['count'] == 1:
            # With the iteration, as mmengine's logger drops a warning that repeats an earlier one.
            runner.logger.warning(
                f'Iteration {runner.iter + 1}, {part}: {text}; training stops after {patience} '
                f'such {unit} in a row.'
            )

    def stop(
        self, runner: Runner, cause: Cause, kind: type[UnhealthyTraining] = UnhealthyTraining
    ) -> None:
        """Raise an error that says what is wrong, since when, and what to do."""
        here = dict(iter=runner.iter, epoch=runner.epoch)
        since = min([here, *self.streaks.values()], key=lambda streak: streak['iter'])
        path = last_good_checkpoint(runner.work_dir, since['epoch'], since['iter'])
        message = (
            f'Training was stopped at iteration {runner.iter + 1} (epoch {runner.epoch + 1}) for '
            f'the {cause.part}: {cause.detail}; the last checkpoint from before the first fault, '
            f'at iteration {since["iter"] + 1}, is {path or "missing, so begin anew"}: '
            f'{ADVICE.get(cause.part, USUAL_ADVICE)}.'
        )
        runner.logger.error(message)
        raise kind(message, cause.part, path)


def last_good_checkpoint(work_dir: str, epoch: int, iteration: int) -> str | None:
    """The newest checkpoint of a folder from before a fault, by their numbers.

    Args:
        work_dir: The folder with ``epoch_N.pth`` or ``iter_N.pth``.
        epoch: The epoch of the fault, from 0: as many were done before it.
        iteration: The iteration of the fault, from 0.
    """
    done, found = dict(epoch=epoch, iter=iteration), []
    for path in checkpoints(work_dir):
        unit, number = numbered(path.name)
        if number <= done[unit]:
            found.append(path)
    return str(max(found, key=lambda path: path.stat().st_mtime)) if found else None
