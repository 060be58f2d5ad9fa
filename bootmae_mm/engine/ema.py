"""Weight averaging that counts optimiser steps."""

from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmpretrain.engine.hooks import EMAHook


@HOOKS.register_module()
class OptimizerStepEMAHook(EMAHook):
    """mmpretrain's average of the weights, updated after each optimiser step (authors' release).

    mmpretrain's own updates after each batch, so that with gradient accumulation the average would
    span fewer steps.

    Args:
        momentum: What the average takes of the new weights at a step: 1 - 0.9998 keeps 0.9998.
        **kwargs: Settings of mmpretrain's ``EMAHook``. By default the averaged weights are
            evaluated, and a checkpoint has them as its ``state_dict``, the trained ones as
            ``ema_state_dict``.
    """

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Update the average if this batch completed a step."""
        if self.every_n_train_iters(runner, runner.optim_wrapper._accumulative_counts):
            super().after_train_iter(runner, batch_idx, data_batch, outputs)
