"""What happens when a process of a run dies, fails or hangs: the run ends, and says which and why.

Every process that fails notes its reason in the store of the process group. A process whose
communication breaks off is a victim, as a rule: it looks there for the reason, and for processes
that neither failed nor answered.
"""

import logging
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import distributed as dist
from torch.distributed.elastic.multiprocessing.errors import get_error_handler

# Seconds in which the launcher ends a victim, or all processes have noticed the same time-out.
GRACE = 5.0


def join_over_gloo(dist_cfg: dict) -> None:
    """Join the process group on CPUs, with the ``timeout`` (seconds) of mmengine's ``dist_cfg``."""
    seconds = dist_cfg.get('timeout')
    timeout = None if seconds is None else timedelta(seconds=seconds)
    dist.init_process_group('gloo', timeout=timeout)


@contextmanager
def report_failures() -> Iterator[None]:
    """Around a script's work: an exception says what ended the run, and the launcher's summary,
    which is the last thing on the screen, shows the process where it began.

    Raises:
        RuntimeError: If a process that loads data was killed, or the communication broke off since
            another process failed, died or hangs.
    """
    try:
        try:
            yield
        except Exception as error:
            message = explain(error)
            if message is None:
                raise
            raise RuntimeError(message) from error
    except Exception as error:
        get_error_handler().record_exception(error)  # to the file that torchrun reads
        raise


def explain(error: Exception) -> str | None:
    """What ended the run, where ``error`` itself does not say it."""
    message = None
    if str(error).startswith('DataLoader worker (pid'):
        message = (
            'Expected the processes that load data to live, found that one has died '
            f'({str(error).rstrip(". ")}); as a rule memory ran out: lower '
            'train_dataloader.num_workers, or ask for more memory.'
        )
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return message
    try:
        broken_off = is_broken_communication(error)
        note_failure('' if broken_off else f'{type(error).__name__}: {message or error}')
        return why_broken_off() if broken_off else message
    except dist.DistError:  # with the process that keeps the store the reasons are gone
        return message


def is_broken_communication(error: Exception) -> bool:
    """Whether ``error`` is one of torch.distributed or gloo."""
    return isinstance(error, dist.DistError) or 'gloo' in str(error)


def why_broken_off() -> str | None:
    """After some seconds, which processes failed, or else which did not answer; None if all of
    them just lost the connection."""
    time.sleep(GRACE)
    ranks = [rank for rank in range(dist.get_world_size()) if rank != dist.get_rank()]
    failed = {rank: noted('failed', rank) for rank in ranks}
    reasons = [f'rank {rank} failed with {text}' for rank, text in failed.items() if text]
    if reasons:
        return f'Stopped since {" and ".join(reasons)}'
    silent = [rank for rank, text in failed.items() if text is None]
    if not silent:
        return None
    seen = [f'rank {rank} ({noted("stalled", rank) or "dead or unknown"})' for rank in silent]
    return (
        f'Stopped since {", ".join(seen)} of {dist.get_world_size()} processes took no part in the '
        'communication any more; if it was only slow, raise env_cfg.dist_cfg.timeout (seconds).'
    )


def note(what: str, text: str) -> None:
    """Leave a text of this process for the others."""
    store().set(f'bootmae/{what}/{dist.get_rank()}', text)


def noted(what: str, rank: int) -> str | None:
    """The text that a process has left."""
    key = f'bootmae/{what}/{rank}'
    return store().get(key).decode() if store().check([key]) else None


def note_failure(text: str) -> None:
    """Tell the others that this process fails; the text is empty for a victim."""
    note('failed', text)
    store().set('bootmae/some_failed', '')


def some_failed() -> bool:
    """Whether any process has failed."""
    return store().check(['bootmae/some_failed'])


def store() -> dist.Store:
    """The key-value store through which the processes found each other."""
    return dist.distributed_c10d._get_default_store()


@HOOKS.register_module()
class StallHook(Hook):
    """Tells a process that hangs from those that wait for it. Nothing for a single process.

    When a process has made no step for nine tenths of the time-out, it logs where it is. When
    another one then gives up waiting and this one does not, it is this one that hangs: it ends
    with a ``TimeoutError``. A thread looks every second; validation counts as steps.
    """

    priority = 'VERY_LOW'
    changes_training = False

    def __init__(self) -> None:
        self.last_step = time.monotonic()
        self.finished = threading.Event()

    def before_train(self, runner: Runner) -> None:
        """Start looking."""
        timeout = runner.cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout')
        if timeout is None or not dist.is_initialized():
            return
        self._note_step()
        main = threading.get_ident()
        threading.Thread(target=self._look, args=(main, 0.9 * timeout), daemon=True).start()

    def _look(self, main: int, patience: float) -> None:
        place = None
        while not self.finished.wait(1.0):
            waited = time.monotonic() - self.last_step
            if waited < patience:
                place = None
            elif place is None:
                place = report_stall(main, waited)
            elif some_failed():
                end_if_it_hangs(place)

    def _note_step(self, *args, **kwargs) -> None:
        self.last_step = time.monotonic()

    after_train_iter = after_val_iter = before_val_epoch = after_val_epoch = _note_step

    def after_train(self, runner: Runner) -> None:
        """Stop looking."""
        self.finished.set()


def report_stall(thread: int, waited: float) -> str:
    """Log the stack of a thread, tell the others where it is, and return that."""
    stack = traceback.extract_stack(sys._current_frames()[thread])
    place = f'{stack[-1].filename}:{stack[-1].lineno} in {stack[-1].name}'
    print_log(
        f'Rank {dist.get_rank()} (process {os.getpid()} on {socket.gethostname()}) has made no '
        f'step for {waited:.0f} s; it is in\n{"".join(stack.format())}',
        logger='current',
        level=logging.ERROR,
    )
    note('stalled', f'no step for {waited:.0f} s, in {place}')
    return place


def end_if_it_hangs(place: str) -> None:
    """End this process unless it gives up by itself in a moment, as those do that waited."""
    time.sleep(GRACE / 2)
    if noted('failed', dist.get_rank()) is not None:
        return
    try:
        raise TimeoutError(f'rank {dist.get_rank()} hangs in {place}; the others waited in vain')
    except TimeoutError as error:
        note_failure(f'TimeoutError: {error}')
        get_error_handler().record_exception(error)
    os._exit(1)
