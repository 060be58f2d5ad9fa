"""The rule that turns pictures and epochs into a recipe: batch, rate, warm-up, teacher, target.

From two points that were measured: the paper's run (1.28 million pictures, 250,000 steps of 4096,
ViT-B) and the study on photographs (50,000 pictures, 12,496 steps of 32, width 96). What counts is
the number of optimiser steps: docs/reduced_study.md.
"""

import math
from typing import NamedTuple

# From so many steps on the paper's masks and target pixels are as good as the easier ones.
ENOUGH_STEPS = 12_500
SMALLEST_BATCH, LARGEST_BATCH = 32, 4096
PAPER_RATE, PAPER_BATCH, PAPER_WIDTH = 2.4e-3, 4096, 768
WARM_UP = 1 / 20  # of the run: 40 of 800 epochs
# (share of the run, what the teacher remembers as a share of it): a tenth of the paper's shares.
TEACHER_MEMORY = [(0, 0.0004), (1 / 8, 0.004), (1 / 2, 0.04)]


class Recipe(NamedTuple):
    """What a pretraining's length decides.

    Attributes:
        pictures: Number of pictures in the folder.
        epochs: Passes over them.
        total_batch: Pictures in an optimiser step, on all GPUs together.
        rate: Learning rate at its peak.
    """

    pictures: int
    epochs: int
    total_batch: int
    rate: float

    @property
    def epoch_steps(self) -> int:
        """Optimiser steps of an epoch; the pictures left over take part in others."""
        return self.pictures // self.total_batch

    @property
    def steps(self) -> int:
        """Optimiser steps of the run."""
        return self.epochs * self.epoch_steps

    @property
    def warm_up(self) -> float:
        """Epochs of the warm-up: a 20th of the run, and a step at least."""
        return warm_up(self.steps, self.epoch_steps, WARM_UP)

    @property
    def as_in_paper(self) -> bool:
        """Whether the run is long enough for the paper's block-wise masks and pixels normalised
        by channel; shorter ones learn more with random masks and pixels of the whole patch."""
        return self.steps >= ENOUGH_STEPS


def recipe(pictures: int, epochs: int, width: int) -> Recipe:
    """The recipe of a run.

    Args:
        pictures: How many there are.
        epochs: Passes over them.
        width: The encoder's.

    Raises:
        ValueError: If there is no picture or no epoch.
    """
    if pictures < 1 or epochs < 1:
        raise ValueError(
            f'Expected at least one picture and one epoch, found {pictures} and {epochs}.'
        )
    total = total_batch(pictures, epochs)
    return Recipe(pictures, epochs, total, learning_rate(total, width))


def total_batch(pictures: int, epochs: int) -> int:
    """The largest power of two, up to the paper's 4096, with ``ENOUGH_STEPS`` steps in the run; 32
    where none has, and fewer where there are not so many pictures."""
    batch = min(LARGEST_BATCH, power_of_two(pictures))
    while batch > SMALLEST_BATCH and pictures // batch * epochs < ENOUGH_STEPS:
        batch //= 2
    return batch


def power_of_two(number: int) -> int:
    """The largest one that is at most ``number``, which is at least 1."""
    return 2 ** (number.bit_length() - 1)


def warm_up(steps: int, epoch_steps: int, share: float) -> float:
    """Epochs of a share of a run, and a step at least, which rounding must not take away."""
    return math.ceil(max(1, round(steps * share)) / epoch_steps * 1e4) / 1e4


def learning_rate(batch: int, width: int) -> float:
    """The paper's rate × √(batch / 4096) × 768 / width for narrower encoders.

    AdamW's step does not grow with the gradient, so its rate goes with the root of the batch; a
    narrow layer wants larger steps. At batch 32 and width 96 it is 1.7e-3; the study took 1.4e-3.
    """
    narrow = max(1.0, PAPER_WIDTH / width)
    return float(f'{PAPER_RATE * math.sqrt(batch / PAPER_BATCH) * narrow:.2g}')
