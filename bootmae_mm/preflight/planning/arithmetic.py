"""From a measured step to the whole run: arithmetic alone."""

import statistics
from dataclasses import dataclass

from ...engine.total_batch import accumulation


@dataclass(frozen=True)
class Recipe:
    """What a config says of the run; one of ``epochs`` and ``iterations`` is None.

    Attributes:
        images: Number of images in the training set.
        batch: Images in a batch of one GPU.
        total_batch: Images in an optimiser step of all GPUs.
        epochs: Passes over the training set.
        iterations: Batches of every GPU, each an optimiser step.
        workers: Processes per GPU that load data.
        whole_steps: An epoch is a whole number of total batches, the rest is left out.
        drop_last: An epoch is a whole number of batches, the rest is left out.
    """

    images: int
    batch: int
    total_batch: int
    epochs: int | None
    iterations: int | None
    workers: int
    whole_steps: bool
    drop_last: bool


@dataclass(frozen=True)
class Measurement:
    """A short measurement on one machine.

    Attributes:
        settings: What decides the time of a step and of loading, ``{dotted name: value}``.
        machine: The GPU or CPU.
        date: Day of the measurement, as 2026-01-31.
        batch: Images in the batch that was measured.
        seconds: Duration of every step measured.
        peak_bytes: Most memory taken at once.
        fixed_bytes: Part of ``peak_bytes`` that does not grow with the batch: weights, gradients,
            optimiser.
        data_rate: Images per second that one process loads.
        data_source: Which images these were.
        images: Number of images in the training set; None if it was not there.
    """

    settings: dict[str, object]
    machine: str
    date: str
    batch: int
    seconds: list[float]
    peak_bytes: int
    fixed_bytes: int
    data_rate: float
    data_source: str
    images: int | None

    @property
    def rate(self) -> float:
        """Images per second of one GPU that never waits for data."""
        return self.batch / statistics.median(self.seconds)


@dataclass(frozen=True)
class Plan:
    """The whole run.

    Attributes:
        gpus: Their number.
        accumulated: Batches that make an optimiser step.
        batches: Number of batches of every GPU in the whole run.
        model_rate: Images per second of one GPU that never waits for data.
        loaded_rate: Images per second that the workers of one GPU load.
        rate: Images per second of one GPU, with its data.
        workers_needed: Workers per GPU that load as fast as the GPU trains.
        hours: Duration of the run.
        hours_without_waiting: If loading cost nothing.
        memory_bytes: Most memory that one GPU needs.
    """

    gpus: int
    accumulated: int
    batches: int
    model_rate: float
    loaded_rate: float
    rate: float
    workers_needed: int
    hours: float
    hours_without_waiting: float
    memory_bytes: int

    @property
    def keeps_up(self) -> bool:
        """Whether data is loaded as fast as it is used."""
        return self.rate == self.model_rate

    @property
    def gpu_hours(self) -> float:
        """The cost: hours of all GPUs."""
        return self.gpus * self.hours


def make_plan(recipe: Recipe, measurement: Measurement, gpus: int) -> Plan:
    """What ``recipe`` takes on ``gpus`` machines like the one measured.

    Time per image does not depend on the batch, several GPUs do not slow each other down, workers
    have a core each, and memory beside the fixed part grows with the batch.

    Raises:
        ValueError: If there is no GPU, or the recipe's total batch cannot be kept.
    """
    count, batches = accumulated(recipe, gpus), all_batches(recipe, gpus)
    model_rate = measurement.rate
    loaded_rate = recipe.workers * measurement.data_rate
    if recipe.workers:
        rate = min(model_rate, loaded_rate)
    else:  # the training process loads, then trains
        rate = 1 / (1 / model_rate + 1 / measurement.data_rate)
    images = batches * recipe.batch
    growing = measurement.peak_bytes - measurement.fixed_bytes
    return Plan(
        gpus=gpus,
        accumulated=count,
        batches=batches,
        model_rate=model_rate,
        loaded_rate=loaded_rate,
        rate=rate,
        workers_needed=-int(-model_rate // measurement.data_rate),
        hours=images / rate / 3600,
        hours_without_waiting=images / model_rate / 3600,
        memory_bytes=round(measurement.fixed_bytes + growing * recipe.batch / measurement.batch),
    )


def all_batches(recipe: Recipe, gpus: int) -> int:
    """Batches of every GPU in the whole run."""
    if recipe.iterations is not None:
        return recipe.iterations
    return recipe.epochs * batches_per_epoch(recipe, gpus)


def batches_per_epoch(recipe: Recipe, gpus: int) -> int:
    """Batches of every GPU in an epoch, as the samplers deal the images out.

    Raises:
        ValueError: If it is not one, or the total batch cannot be kept.
    """
    batches_of_step = accumulated(recipe, gpus)
    if recipe.whole_steps:
        count = recipe.images // recipe.total_batch * batches_of_step
    else:
        share = -(-recipe.images // gpus)
        count = share // recipe.batch if recipe.drop_last else -(-share // recipe.batch)
    if not count:
        raise ValueError(
            f'An epoch needs at least one batch, found {recipe.images} images for {gpus} GPUs with '
            f'batches of {recipe.batch} and a total batch of {recipe.total_batch}; use fewer GPUs '
            'or smaller batches.'
        )
    return count


def accumulated(recipe: Recipe, gpus: int) -> int:
    """Batches of every GPU that make an optimiser step.

    Raises:
        ValueError: If there is no GPU, or the recipe's total batch cannot be kept.
    """
    if gpus < 1:
        raise ValueError(f'Expected at least one GPU, found {gpus}; give a number from 1 up.')
    iteration_based = recipe.iterations is not None
    return accumulation(recipe.total_batch, recipe.batch, gpus, iteration_based)
