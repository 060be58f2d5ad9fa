"""What measurements of speed and memory have in common."""

import platform
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import torch


def synchronise() -> None:
    """Wait until the GPU, if there is one, has done what it was asked for."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_memory() -> int:
    """Bytes: largest allocation so far on the GPU, or largest resident memory of the process.

    Linux counts into ``ru_maxrss`` what the process that started this one had; its status does not.
    """
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    status = Path('/proc/self/status')
    if status.is_file():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith('VmHWM'))
        return int(line.split()[1]) * 1024
    unit = 1 if platform.system() == 'Darwin' else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch and OpenCV with one thread, as in a worker of a data loader."""
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    try:
        yield
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])
