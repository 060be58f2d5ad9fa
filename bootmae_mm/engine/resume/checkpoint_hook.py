"""Which checkpoints of a run are there at a time."""

from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ...checkpoint.reading import corruption
from ..run_files import numbered
from ..total_batch import accumulated_batches
from . import files


@HOOKS.register_module()
class DurableCheckpointHook(CheckpointHook):
    """mmengine's hook, which here removes an old checkpoint only once a newer one is whole.

    Args:
        max_keep_ckpts: How many of the newest to keep; -1 for all.
        keep_every: Epochs (iterations, with ``by_epoch=False``) whose checkpoints are kept for
            good: those that this divides. None for no others than the newest.
        **kwargs: Those of mmengine's hook.

    Raises:
        ValueError: If checkpoints are to be written between two optimiser steps.
    """

    changes_training = False

    def __init__(self, max_keep_ckpts: int = -1, keep_every: int | None = None, **kwargs) -> None:
        super().__init__(max_keep_ckpts=-1, **kwargs)
        self.num_newest = max_keep_ckpts
        self.keep_every = keep_every

    def before_train(self, runner: Runner) -> None:
        """Look at the interval."""
        super().before_train(runner)
        count = accumulated_batches(runner)
        if not self.by_epoch and self.interval % count:
            raise ValueError(
                f'A checkpoint is written after an optimiser step, which takes {count} batches, '
                f'found default_hooks.checkpoint.interval={self.interval}; choose a multiple of '
                f'{count}.'
            )

    def after_train_epoch(self, runner: Runner) -> None:
        """Write if it is time, then tidy up."""
        before = self.last_ckpt
        super().after_train_epoch(runner)
        if self.last_ckpt != before:
            self._tidy_up(runner)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Write if it is time, then tidy up."""
        before = self.last_ckpt
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if self.last_ckpt != before:
            self._tidy_up(runner)

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Write a new best one if there is one, then remove the one that was best before."""
        old, self.best_ckpt_path = getattr(self, 'best_ckpt_path', None), None
        super().after_val_epoch(runner, metrics)
        if self.best_ckpt_path is None:
            self.best_ckpt_path = old
        elif old and old != self.best_ckpt_path and is_main_process():
            Path(old).unlink(missing_ok=True)

    def _tidy_up(self, runner: Runner) -> None:
        """Remove what is neither new nor kept for good, if the newest is whole."""
        if self.num_newest < 1 or not is_main_process():
            return
        reason = corruption(self.last_ckpt)
        if reason is not None:
            runner.logger.error(
                f'{self.last_ckpt} cannot be read back ({reason}): look at the disk; no older '
                'checkpoint is removed.'
            )
            return
        paths, _ = files.newest_first(self.out_dir)
        for path in paths[self.num_newest :]:
            if not self._for_good(path):
                path.unlink()

    def _for_good(self, path: Path) -> bool:
        unit, number = numbered(path.name)
        own = unit == ('epoch' if self.by_epoch else 'iter')
        return bool(self.keep_every) and own and number % self.keep_every == 0
