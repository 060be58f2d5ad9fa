"""How long training waits for its data."""

import os

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ..engine.log_interval import log_interval


@HOOKS.register_module()
class DataWaitHook(Hook):
    """Logs the share of the training time that was spent waiting for data as ``data_share``, and
    warns when it is too large.

    The share, from 0 to 1, is that of ``IterTimerHook``'s ``data_time`` in its ``time`` over the
    steps since the last log; among several processes the largest, as all wait for the slowest. The
    first step of an epoch, in which the workers start, does not count.

    Args:
        limit: Largest share without a warning, of which there is one an epoch at most.

    Raises:
        ValueError: If the limit is not a share.
    """

    priority = 'NORMAL'  # after IterTimerHook, a default hook, and before LoggerHook
    changes_training = False

    def __init__(self, limit: float = 0.1) -> None:
        if not 0 <= limit <= 1:
            raise ValueError(f'limit is a share and must be from 0 to 1, found {limit}.')
        self.limit = limit

    def before_train(self, runner: Runner) -> None:
        """Measure between two logs."""
        self.interval = log_interval(runner)

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin anew."""
        self.waited = self.total = 0.0
        self.warned = False
        self.starting = True

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Add up the times; log their share with the logger."""
        if self.starting:
            self.starting = False
            return
        self.waited += runner.message_hub.get_scalar('train/data_time').current()
        self.total += runner.message_hub.get_scalar('train/time').current()
        if self.every_n_inner_iters(batch_idx, self.interval) or self.end_of_epoch(
            runner.train_dataloader, batch_idx
        ):
            share = torch.tensor(self.waited / self.total)
            all_reduce(share, op='max')
            self.report(runner, share.item())
            self.waited = self.total = 0.0

    def report(self, runner: Runner, share: float) -> None:
        """Log a share, and warn if it is the first one of this epoch above the limit."""
        runner.message_hub.update_scalar('train/data_share', share)
        if share > self.limit and not self.warned:
            self.warned = True
            workers = runner.train_dataloader.num_workers
            # With the epoch, as mmengine's logger drops a warning that repeats an earlier one.
            runner.logger.warning(
                f'Training waited {share:.0%} of its time for data in epoch {runner.epoch + 1}; '
                f'{remedy(workers)}.'
            )


def remedy(workers: int) -> str:
    """What to change where training waits for data.

    Args:
        workers: Number of workers of the data loader of each process.
    """
    processes = int(os.environ.get('LOCAL_WORLD_SIZE', 1))
    cores = available_cores()
    of_each = f' in each of {processes} processes' if processes > 1 else ''
    found = f'it has train_dataloader.num_workers={workers}{of_each} and {cores} cores'
    if workers * processes < cores:
        return (
            f'{found}: raise num_workers to at most {cores // processes}, and if that does not '
            'help, put the images on a faster file system'
        )
    return (
        f'{found}, so that more workers will not help: give it more cores, put the images on a '
        'faster file system, or store them smaller'
    )


def available_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
