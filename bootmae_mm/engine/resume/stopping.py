"""Stopping at a signal without losing anything."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.dist import all_reduce, barrier, get_comm_device, get_world_size
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import IterBasedTrainLoop, Runner

from ..total_batch import accumulated_batches
from .loop import ResumableTrainLoop
from .workers import SIGNALS

EXIT_CODE = 99  # Grid Engine's for "run me again"; tools/slurm_train.sh acts on it
# Environment: a launcher's file. It appears when training is to stop; the exit code goes into it.
STOP_FILE = 'BOOTMAE_STOP_FILE'


class TrainingStopped(SystemExit):
    """Ends a process whose run was asked to stop and can go on."""


@HOOKS.register_module()
class StopOnSignalHook(Hook):
    """At SIGTERM, SIGUSR1 or SIGINT ends the optimiser step, writes a checkpoint and leaves with
    exit code 99.

    With several processes it is enough that one of them is signalled, or that the launch script is,
    which tells by a file. They stop together one step later, unless an epoch ends or a validation
    comes before, so that none has to wait for its device at every step. Loops that cannot go on
    inside an epoch (mmengine's ``EpochBasedTrainLoop``) write nothing: they go on from their last
    checkpoint.

    Raises:
        TrainingStopped: A ``SystemExit``, once the checkpoint is written.
    """

    priority = 'LOWEST'  # after everything that a step changes
    changes_training = False

    def __init__(self) -> None:
        self.signal = 0
        self.previous = {}
        self.shared = lambda: 0

    def before_train(self, runner: Runner) -> None:
        """Listen."""
        self.logger = runner.logger
        if threading.current_thread() is threading.main_thread():
            self.previous = {number: signal.signal(number, self._note) for number in SIGNALS}

    def _note(self, number: int, frame: object) -> None:
        self.signal = number

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """At the end of an optimiser step, stop if any process was asked to."""
        if not self.every_n_train_iters(runner, accumulated_batches(runner)):
            return
        asked = self.signal or signal.SIGTERM * asked_by_launcher()
        if get_world_size() > 1:
            before, self.shared = self.shared, share(asked)
            asked = self.shared() if self._pauses(runner, batch_idx) else before()
        if asked:
            self._stop(runner, signal.Signals(asked).name)

    def _pauses(self, runner: Runner, batch_idx: int) -> bool:
        """Whether what comes next may take long."""
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            return self.every_n_train_iters(runner, runner.train_loop.val_interval)
        return self.end_of_epoch(runner.train_dataloader, batch_idx)

    def after_train(self, runner: Runner) -> None:
        """Leave signals to whom they were left before."""
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _stop(self, runner: Runner, name: str) -> None:
        done = runner.iter + 1
        if isinstance(runner.train_loop, ResumableTrainLoop | IterBasedTrainLoop):
            filename = f'iter_{done}.pth'
            runner.save_checkpoint(
                runner.work_dir, filename, meta=dict(epoch=runner.epoch, iter=done)
            )
            kept = f'everything up to here is in {Path(runner.work_dir) / filename}'
        else:
            kept = f'its epochs up to here are in {runner.work_dir}'
        runner.logger.warning(
            f'Stopped by {name} after iteration {done}; {kept}; start again with the same command '
            'to go on.'
        )
        barrier()  # no process leaves, which may end the others, before the checkpoint is there
        self.after_train(runner)
        raise TrainingStopped(exit_code())


def share(number: int) -> Callable[[], int]:
    """Have all processes exchange a number, for which none waits.

    Returns:
        What gives the largest of them, as soon as this process's device has come so far.
    """
    largest = torch.full((), number, device=get_comm_device())
    all_reduce(largest, op='max')
    if largest.device.type != 'cuda':
        return largest.item
    copy = torch.empty_like(largest, device='cpu', pin_memory=True)
    copy.copy_(largest, non_blocking=True)
    copied = torch.cuda.Event()
    copied.record()

    def read() -> int:
        copied.synchronize()
        return copy.item()

    return read


def asked_by_launcher() -> bool:
    """Whether the launch script was asked to stop."""
    path = os.environ.get(STOP_FILE)
    return path is not None and os.path.exists(path)


def exit_code() -> int:
    """99; or 0 where a launcher, which takes any other code for a failure, has a file for it."""
    path = os.environ.get(STOP_FILE)
    if path is None:
        return EXIT_CODE
    Path(path).write_text(str(EXIT_CODE), encoding='utf-8')
    return 0
