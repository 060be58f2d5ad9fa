"""What changes from epoch to epoch, or step to step, as pure functions of it (from 0)."""

from collections.abc import Sequence

import numpy as np


def teacher_decay(epoch: float, milestones: Sequence[tuple[float, float]]) -> float:
    """The share of itself that the teacher keeps at each update, in this epoch.

    Args:
        epoch: The epoch, from 0.
        milestones: ``(epoch, decay)`` pairs in ascending order; linear in between, constant
            before the first and after the last. The paper's (appendix C): 0.999 to 0.9999 over
            epochs 0 to 100, and for ViT-B to 0.99999 over epochs 100 to 400.
    """
    epochs, decays = zip(*milestones, strict=True)
    return float(np.interp(epoch, epochs, decays))


def decay_of_memory(step: int, steps: int, memory: Sequence[tuple[float, float]]) -> float:
    """The share of itself that the teacher keeps at this step of a run of any length.

    A decay d remembers some 1 / (1 - d) steps: 0.999 a thousand. In proportion to the paper's run
    of 800 epochs of 312 steps, 250,000 in all, its milestones (0, 0.999), (100, 0.9999) and
    (400, 0.99999) are a memory of 0.004 of the run at its beginning, 0.04 at an eighth and 0.4 from
    its half on.

    Args:
        step: The step, from 0.
        steps: Of the run.
        memory: ``(share of the run, memory as a share of the run)`` pairs in ascending order; the
            decay is linear in between, as in the paper. A memory below a step counts as one.
    """
    milestones = [(share * steps, 1 - 1 / max(1, kept * steps)) for share, kept in memory]
    return teacher_decay(step, milestones)


def feature_weight(epoch: float, ramp_epochs: float, weight: float = 1.0) -> float:
    """Weight λ of the feature loss in this epoch, or step (eq. 6).

    ``weight * min(1, (epoch + 1) / ramp_epochs)``; the release ramps over the first quarter of the
    run, ``ramp_epochs = E / 4``. 0 for no ramp.
    """
    if ramp_epochs <= 0:
        return weight
    return weight * min(1.0, (epoch + 1) / ramp_epochs)
