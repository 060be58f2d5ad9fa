"""Compiling the transformer blocks of pretraining."""

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import nn

from ..engine.wrapping import unwrap
from .bootmae import BootMAE


def compile_blocks(model: BootMAE, **options) -> None:
    """Have every block of encoder, decoders and teacher compiled at its first use.

    Block by block, so that a compilation is short and shared by all blocks of a kind; static
    shapes, since every batch of a run has the same ones.

    Args:
        model: The algorithm.
        **options: Those of :func:`torch.compile`.
    """
    for block in all_blocks(model):
        block.compile(dynamic=False, **options)


def all_blocks(model: BootMAE) -> list[nn.Module]:
    """The blocks of encoder, regressor, predictor and teacher, of those that there are."""
    blocks = list(model.backbone.layers)
    for decoder in (model.regressor, model.predictor):
        blocks += decoder.blocks if decoder is not None else []
    blocks += model.teacher.encoder.layers if model.teacher is not None else []
    return blocks


@HOOKS.register_module()
class CompileBlocksHook(Hook):
    """Turns on :func:`compile_blocks` before training."""

    def before_train(self, runner: Runner) -> None:
        """Compile once the weights are loaded."""
        compile_blocks(unwrap(runner.model))
        runner.logger.info('Transformer blocks are compiled at their first use: some minutes.')
