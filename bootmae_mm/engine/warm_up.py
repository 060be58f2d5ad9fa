"""A warm-up that fits runs of any length."""

from mmengine.optim import LinearLR
from mmengine.registry import PARAM_SCHEDULERS

SHARE = 10  # the warm-up is at most one part of so many of the run
FOREVER = 10**9  # what mmengine takes for it
LEAST = 2  # after a single step mmengine's LinearLR would leave the rate at its first value


@PARAM_SCHEDULERS.register_module()
class WarmUpLR(LinearLR):
    """Raises the learning rate linearly over a number of optimiser steps, or over a tenth of the
    run where that is less, as on small data sets.

    Args:
        optimizer: The optimiser, or its wrapper.
        steps: The number of optimiser steps.
        end: Length of the run in optimiser steps, as mmengine gives it with
            ``convert_to_iter_based=True``.
        by_epoch: Has to be False, as ``convert_to_iter_based=True`` makes it.
        **kwargs: Those of mmengine's ``LinearLR``.

    Raises:
        ValueError: If it is to count epochs.
    """

    def __init__(
        self, optimizer, *, steps: int, end: int = FOREVER, by_epoch: bool = True, **kwargs
    ) -> None:
        if by_epoch:
            raise ValueError(
                'WarmUpLR counts optimiser steps, found by_epoch=True; add '
                'convert_to_iter_based=True to it in param_scheduler.'
            )
        end = max(LEAST, min(steps, end // SHARE))
        super().__init__(optimizer, end=end, by_epoch=by_epoch, **kwargs)
