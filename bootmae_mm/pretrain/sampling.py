"""Randomness that depends on (seed, epoch, sample index) and on nothing else.

The sampler hands the dataset not a bare index but a key with seed and epoch; the dataset draws a
sample inside :func:`seeded`. So a sample's crop and mask are the same for any number of workers and
processes, after a resume, and with persistent workers.
"""

import random
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import Sampler, get_worker_info


class SampleKey(NamedTuple):
    """What a sample and all of its randomness depend on."""

    seed: int
    epoch: int
    index: int


@contextmanager
def seeded(key: SampleKey) -> Iterator[None]:
    """Seed Python's, NumPy's and torch's (CPU) global generators from ``key``.

    In the main process their states are put back afterwards; a worker has no other use for them.
    """
    in_main_process = get_worker_info() is None
    if in_main_process:
        states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    words = np.random.SeedSequence(key).generate_state(3)
    random.seed(int(words[0]))
    np.random.seed(words[1])
    torch.default_generator.manual_seed(int(words[2]))
    try:
        yield
    finally:
        if in_main_process:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_rng_state(states[2])


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
        ValueError: If the batch is larger than the dataset, the processes do not divide it, or
            there is no seed.
    """

    def __init__(self, dataset: Sized, total_batch_size: int, seed: int | None) -> None:
        self.rank, self.world_size = get_dist_info()
        self.dataset_size = len(dataset)
        self.seed = seed
        self.epoch = 0
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
        for index in order[self.rank :: self.world_size]:
            yield SampleKey(self.seed, self.epoch, int(index))

    def __len__(self) -> int:
        return self.num_samples // self.world_size

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration hands out."""
        self.epoch = epoch
