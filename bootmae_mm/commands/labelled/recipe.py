"""The rules of training with labels, of which little is known beforehand: how long, which batch and
rate, what share of the run things take."""

import math
from typing import NamedTuple

from ..recipe import PAPER_WIDTH, power_of_two, warm_up

SMALLEST_BATCH = 16
MOST_EPOCHS = 500  # of few pictures
SHARE_OF_VALIDATION = 1 / 5  # of the pictures of training


class Task(NamedTuple):
    """A recipe of ours, for another amount of pictures.

    Attributes:
        epochs: Passes over the pictures.
        batch: Pictures of a step, at which ``rate`` holds.
        rate: Learning rate of ViT-B.
        steps: A shorter run has a smaller batch, down to 16, and then more epochs, to have so many.
        by_width: Whether narrower encoders have a larger rate, in proportion. So it is in the
            study on photographs where most of what is trained is new (3e-3 and 2e-3 for width 96),
            not in fine-tuning (1e-3).
    """

    epochs: int
    batch: int
    rate: float
    steps: int
    by_width: bool


FINE_TUNING = Task(epochs=100, batch=2048, rate=5e-3, steps=2000, by_width=False)
# 160,000 × 16 / 20,210 pictures = 126 epochs
SEGMENTATION = Task(epochs=126, batch=16, rate=4e-4, steps=2000, by_width=True)
DETECTION = Task(epochs=12, batch=16, rate=4e-4, steps=2000, by_width=True)


class LabelledRecipe(NamedTuple):
    """How a run with labels is trained.

    Attributes:
        pictures: Number of training pictures.
        epochs: Passes over them.
        total_batch: Pictures of a step, on all GPUs together.
        rate: Learning rate at its peak.
    """

    pictures: int
    epochs: int
    total_batch: int
    rate: float

    @property
    def epoch_steps(self) -> int:
        """Steps of an epoch, each of a whole batch."""
        return max(1, self.pictures // self.total_batch)

    @property
    def steps(self) -> int:
        """Of the run."""
        return self.epochs * self.epoch_steps

    def epochs_between(self, validations: int, pictures: int) -> float:
        """How often to validate on so many pictures: at most so many times in the run, and so
        seldom that those are at most a fifth of the pictures seen in training."""
        affordable = SHARE_OF_VALIDATION * self.epochs * self.pictures / pictures
        return self.epochs / max(1, min(validations, int(affordable)))

    def warm_up(self, share: float) -> float:
        """Epochs of so much of the run, and a step at least."""
        return warm_up(self.steps, self.epoch_steps, share)


def labelled_recipe(task: Task, pictures: int, epochs: int | None, width: int) -> LabelledRecipe:
    """The task's recipe for so many pictures.

    Args:
        task: The recipe of ours.
        pictures: Of the training set.
        epochs: Passes; None for the recipe's, or more to have its steps.
        width: Of the encoder.
    """
    batch = min(task.batch, power_of_two(pictures))
    while batch > SMALLEST_BATCH and pictures // batch * (epochs or task.epochs) < task.steps:
        batch //= 2
    enough = -(-task.steps // (pictures // batch))
    epochs = epochs or max(task.epochs, min(enough, MOST_EPOCHS))
    rate = task.rate * math.sqrt(batch / task.batch)
    rate *= max(1.0, PAPER_WIDTH / width) if task.by_width else 1.0
    return LabelledRecipe(pictures, epochs, batch, float(f'{rate:.2g}'))
