"""What changes from epoch to epoch, as pure functions of the epoch (from 0)."""

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


def feature_weight(epoch: float, ramp_epochs: float, weight: float = 1.0) -> float:
    """Weight λ of the feature loss in this epoch (eq. 6).

    ``weight * min(1, (epoch + 1) / ramp_epochs)``; the release ramps over the first quarter of the
    run, ``ramp_epochs = E / 4``. 0 for no ramp.
    """
    if ramp_epochs <= 0:
        return weight
    return weight * min(1.0, (epoch + 1) / ramp_epochs)
