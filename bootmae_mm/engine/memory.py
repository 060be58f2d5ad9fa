"""Activation checkpointing of transformer blocks."""

from functools import partial

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import nn
from torch.utils.checkpoint import checkpoint

from .wrapping import unwrap


def checkpoint_blocks(*parts: nn.Module) -> None:
    """Let every block keep only its input and be computed again in the backward pass.

    Drop path draws the same samples the second time, so that the gradients are the same.

    Args:
        *parts: Encoders (``layers``) or pretraining decoders (``blocks``).
    """
    for part in parts:
        for block in part.layers if hasattr(part, 'layers') else part.blocks:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)


@HOOKS.register_module()
class BlockCheckpointHook(Hook):
    """Turns on :func:`checkpoint_blocks` before training, for the model's backbone and, in
    pretraining, the decoders.

    mmengine's ``activation_checkpointing`` does not choose between PyTorch's two implementations,
    which PyTorch is about to refuse, and gets the one that it advises against: gradients are
    silently lost where the input of a block needs none (a frozen patch embedding).
    """

    changes_training = False

    def before_train(self, runner: Runner) -> None:
        """Wrap the blocks once the weights are loaded."""
        model = unwrap(runner.model)
        decoders = (getattr(model, name, None) for name in ('regressor', 'predictor'))
        checkpoint_blocks(model.backbone, *(part for part in decoders if part is not None))
        runner.logger.info('Blocks keep their input only and are computed twice (checkpointing).')
