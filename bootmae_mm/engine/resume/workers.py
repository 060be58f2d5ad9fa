"""Workers of a data loader: they outlive a signal meant for their main process, and end with the
run."""

import os
import signal
import threading
from collections.abc import Callable
from functools import partial

from mmengine.runner import BaseLoop
from torch.utils.data import DataLoader

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


def shield(loader: DataLoader) -> DataLoader:
    """Let the workers leave signals to the main process, which still needs them to end its step.

    A terminal and a cluster's scheduler signal every process of a job at once.
    """
    if loader.num_workers:
        loader.worker_init_fn = partial(_begin, then=loader.worker_init_fn)
    return loader


def end(loop: BaseLoop) -> None:
    """End the persistent workers of a loop's data loader.

    Where the garbage collector does it, since a runner is full of circles, it closes the workers'
    queues first, and PyTorch waits five seconds in vain for each of them.
    """
    loop.dataloader._iterator = None
    if hasattr(loop, 'dataloader_iterator'):  # of loops over iterations
        loop.dataloader_iterator = None


def _begin(worker: int, then: Callable[[int], None] | None) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if then is not None:
        then(worker)


def _end_with_parent() -> None:
    """End at the one signal that comes from the main process, as workers of torch do."""
    while signal.sigwaitinfo(SIGNALS).si_pid != os.getppid():
        pass
    os._exit(0)
