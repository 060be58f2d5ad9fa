"""The page about a run, written by the run."""

import time

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from .page import write_report


@HOOKS.register_module()
class ReportHook(Hook):
    """Writes ``report.html`` to the work directory at the end of training, on the first process.

    A run that is killed or stopped has the page of the last interval, or none; ``tools/report.py``
    makes it at any time. If the page cannot be written, a warning says why and training goes on.

    Args:
        interval: Epochs (iterations, with ``by_epoch=False``) between two pages while training
            goes on; None for the one at the end only. A page of 800 epochs takes 0.3 s of a
            core, and up to 0.3 s more for each picture on it.
        by_epoch: What the interval counts.

    Raises:
        ValueError: If the interval is not positive.
    """

    priority = 'LOWEST'  # after the log and the checkpoint
    changes_training = False

    def __init__(self, interval: int | None = None, by_epoch: bool = True) -> None:
        if interval is not None and interval < 1:
            raise ValueError(f'interval of ReportHook must be positive or None, found {interval}.')
        self.interval = interval
        self.by_epoch = by_epoch

    def after_train_epoch(self, runner: Runner) -> None:
        """Write if it is time."""
        if self.interval and self.by_epoch and self.every_n_epochs(runner, self.interval):
            self.write(runner)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Write if it is time."""
        if self.interval and not self.by_epoch and self.every_n_train_iters(runner, self.interval):
            self.write(runner)

    def after_train(self, runner: Runner) -> None:
        """Write the last one."""
        self.write(runner, at_end=True)

    @master_only
    def write(self, runner: Runner, at_end: bool = False) -> None:
        """Write the page."""
        start = time.perf_counter()
        try:
            path = write_report(runner.work_dir, at_end=at_end)
        except Exception as error:  # of whatever kind: no page is worth a run
            # With the iteration, as mmengine's logger drops a warning that repeats an earlier one.
            runner.logger.warning(
                f'No page about the run at iteration {runner.iter}: {type(error).__name__}: {error}'
            )
        else:
            runner.logger.info(f'Wrote {path} in {time.perf_counter() - start:.2f} s.')
