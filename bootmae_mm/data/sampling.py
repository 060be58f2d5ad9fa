"""Randomness that depends on (seed, epoch, sample index) and on nothing else.

The sampler hands the dataset not a bare index but a key with seed and epoch; the dataset draws a
sample inside :func:`seeded`. So a sample's crop and mask are the same for any number of workers and
processes, after a resume, and with persistent workers.
"""

import random
import struct
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import torch
from mmengine.dataset import (
    BaseDataset,
    ClassBalancedDataset,
    ConcatDataset,
    RepeatDataset,
)
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import Sampler, get_worker_info

# What takes bare numbers only, unless it says otherwise.
TAKES_NUMBERS = (BaseDataset, ClassBalancedDataset, ConcatDataset, RepeatDataset)
SPARE = np.random.MT19937()  # exchanging generators is faster than exchanging states


class SampleKey(NamedTuple):
    """What a sample and all of its randomness depend on."""

    seed: int
    epoch: int
    index: int


@contextmanager
def seeded(key: SampleKey) -> Iterator[None]:
    """Seed Python's, NumPy's and torch's (CPU) global generators from ``key``.

    In the main process their states are put back afterwards (but for the second one of a pair of
    normal numbers that NumPy keeps at hand); a worker has no other use for them.
    """
    in_main_process = get_worker_info() is None
    if in_main_process:
        states = random.getstate(), np.random.get_bit_generator(), torch.get_rng_state()
        np.random.set_bit_generator(SPARE)
    python_seed, numpy_seed, torch_seed = seeds(key)
    random.seed(python_seed)
    np.random.seed(numpy_seed)
    torch.default_generator.manual_seed(torch_seed)
    try:
        yield
    finally:
        if in_main_process:
            random.setstate(states[0])
            np.random.set_bit_generator(states[1])
            torch.set_rng_state(states[2])


def seeds(key: SampleKey) -> tuple[int, int, int]:
    """Three unrelated 32-bit numbers, by a cryptographic hash: a tenth of the time that NumPy's
    ``SeedSequence`` takes."""
    return struct.unpack('<3I', blake2b(struct.pack('<3q', *key), digest_size=12).digest())


@DATA_SAMPLERS.register_module()
class EpochSampler(Sampler):
    """Shuffles the dataset anew each epoch and hands out :class:`SampleKey` s.

    An epoch is a whole number of total batches; the rest of the shuffled dataset is left out (the
    release drops it too). Optimiser step ``s`` of an epoch sees the same samples for any number of
    processes: process ``r`` of ``W`` takes every ``W``-th one from ``r``.

    Args:
        dataset: The dataset.
        total_batch_size: Samples per optimiser step over all processes and accumulated batches.
        seed: Seed of the run; mmengine passes its own, but None with ``diff_rank_seed``.

    Raises:
        ValueError: If the batch is larger than the dataset, the processes do not divide it, there
            is no seed, or the dataset takes no keys.
    """

    def __init__(self, dataset: Sized, total_batch_size: int, seed: int | None) -> None:
        self.rank, self.world_size = get_dist_info()
        self.dataset_size = len(dataset)
        self.seed = seed
        self.epoch = 0
        self.skipped = 0
        if isinstance(dataset, TAKES_NUMBERS) and not getattr(dataset, 'takes_keys', False):
            raise ValueError(
                'EpochSampler hands out the seeds of samples, too, and expects a data set that '
                f'takes them, UnlabelledImages or ImageFolders, found {type(dataset).__name__}; '
                "for several folders set data_root=['first', 'second'] of UnlabelledImages, for a "
                'folder that counts twice name it twice.'
            )
        if seed is None:
            raise ValueError(
                'The samples of an epoch depend on the seed of the run, found none; set '
                'randomness=dict(seed=0) and leave out diff_rank_seed.'
            )
        if not 0 < total_batch_size <= self.dataset_size:
            raise ValueError(
                f'An epoch needs at least one total batch, found total_batch_size='
                f'{total_batch_size} and {self.dataset_size} images; choose at least 1 and at most '
                'the number of images (and scale the learning rate with it).'
            )
        if total_batch_size % self.world_size:
            raise ValueError(
                f'The number of processes must divide the total batch, found {self.world_size} '
                f'processes and total_batch_size={total_batch_size}.'
            )
        self.num_samples = self.dataset_size // total_batch_size * total_batch_size

    def __iter__(self) -> Iterator[SampleKey]:
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(self.dataset_size)[: self.num_samples]
        own = order[self.rank :: self.world_size][self.skipped :]
        self.skipped = 0
        for index in own:
            yield SampleKey(self.seed, self.epoch, int(index))

    def __len__(self) -> int:
        return self.num_samples // self.world_size

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration hands out."""
        self.epoch = epoch

    def skip(self, num_samples: int) -> None:
        """Let the next iteration, and only that, leave out this process's first so many."""
        self.skipped = num_samples
