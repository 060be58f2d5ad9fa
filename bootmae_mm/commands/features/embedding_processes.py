"""Computing the missing parts of an :class:`.EmbeddingJob` in one process or several."""

import sys
from multiprocessing import get_context, parent_process

import torch
from torch.multiprocessing import ProcessExitedException

from ...encoder.vit import BootMAEViT
from ..tools import Say
from .any_encoder import load
from .embedding_job import EmbeddingJob
from .embedding_parts import compute_parts
from .pace import Pace

SECONDS = 1.0  # between two looks at how far the processes are


def compute(job: EmbeddingJob, model: BootMAEViT, processes: int, say: Say) -> None:
    """Compute the parts that are missing."""
    missing = job.missing()
    left = sum(len(job.pictures_of(number)) for number in missing)
    if len(missing) < len(job.numbers):
        say(f'{len(job.numbers) - len(missing)} of {len(job.numbers)} parts are there, going on')
    pace = Pace(len(job.files), len(job.files) - left, 'pictures', say)
    if processes == 1 or len(missing) == 1:
        compute_parts(job, model, missing, pace.add)
    elif missing:
        in_processes(job, missing, min(processes, len(missing)), pace)


def in_processes(job: EmbeddingJob, missing: list[int], processes: int, pace: Pace) -> None:
    """The same in several processes, each with every n-th part.

    Raises:
        RuntimeError: If one of them was ended.
    """
    before, done = pace.done, get_context('spawn').Value('q')
    arguments = job, missing, processes, done
    running = torch.multiprocessing.spawn(work, arguments, processes, join=False)
    try:
        while not running.join(SECONDS):
            pace.reach(before + done.value)
    except ProcessExitedException as error:
        raise RuntimeError(
            f'Expected {processes} processes to live, found that one was ended ({error}); as a '
            'rule memory ran out: lower --batch or --processes, and the same command goes on.'
        ) from error
    finally:  # also after Ctrl-C, or they would go on
        for process in running.processes:
            process.terminate()


def work(rank: int, job: EmbeddingJob, missing: list[int], processes: int, done) -> None:
    """One of several processes, which ends with the one that began them, however that ends."""
    if torch.cuda.is_available():
        torch.cuda.set_device(rank % torch.cuda.device_count())
    torch.set_num_threads(max(1, torch.get_num_threads() // processes))

    def told(count: int) -> None:
        if not parent_process().is_alive():
            sys.exit(1)
        with done.get_lock():
            done.value += count

    compute_parts(job, load(job.encoder)[0], missing[rank::processes], told)
