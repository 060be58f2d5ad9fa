"""The questions of the doctor that a run asks of its own parts before it starts."""

from collections.abc import Sequence

from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from .doctor.case import Case
from .doctor.checkup import AT_START, OF_DATA, examine


@HOOKS.register_module()
class DataCheckHook(Hook):
    """Looks once at what the run's data sets hold, and stops all processes with one sentence if
    training or testing on them would fail or go wrong.

    Before training it checks the train and val sets, before testing the test set: files that are
    listed but missing; labels and numbers of classes against the heads; label maps of segmentation
    by a sample (:class:`.data.seg_labels.CheckSegLabels` sees all of them); instances without
    segmentation for a mask head; what the metrics need. It takes seconds for a hundred thousand
    images.

    Raises:
        ValueError: In every process, saying what was expected and what was found.
    """

    priority = 'VERY_HIGH'
    changes_training = False
    acts_in_steps = False

    def __init__(self) -> None:
        self.checked = set()

    def before_train(self, runner: Runner) -> None:
        """Check the train set, and the val set if there is one."""
        self._check(runner, ['train', 'val'])

    def before_val(self, runner: Runner) -> None:
        """Check the val set when it is validated without training."""
        self._check(runner, ['val'])

    def before_test(self, runner: Runner) -> None:
        """Check the test set."""
        self._check(runner, ['test'])

    def _check(self, runner: Runner, splits: Sequence[str]) -> None:
        new = [split for split in splits if split not in self.checked]
        self.checked.update(new)
        if new:
            stop_at_errors(runner, new, OF_DATA)


def check_before_training(runner: Runner, cfg: Config) -> None:
    """Ask what can be asked at little cost before schedules are built and weights loaded.

    The runner's data sets are built for it, and used by the run.

    Raises:
        ValueError: In every process, saying what was expected and what was found.
    """
    stop_at_errors(runner, ['train', 'val'], AT_START, cfg)
    for hook in runner.hooks:
        if isinstance(hook, DataCheckHook):
            hook.checked.update(['train', 'val'])


def stop_at_errors(
    runner: Runner, splits: Sequence[str], points: Sequence[str], cfg: Config | None = None
) -> None:
    """The main process asks, and logs warnings; all raise the first error."""
    case, message = Case.of_runner(runner, splits, cfg), [None]
    if is_main_process():
        findings = [finding for _, finding in examine(case, points)]
        errors = [finding.sentence for finding in findings if finding.level == 'error']
        message = errors[:1] or [None]
        for finding in findings:
            if finding.level == 'warning':
                runner.logger.warning(finding.sentence)
    broadcast_object_list(message)
    if message[0] is not None:
        raise ValueError(message[0])
