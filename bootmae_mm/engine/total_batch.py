"""The total batch a recipe states, kept for any number of processes."""

from mmengine.dist import get_world_size
from mmengine.hooks import Hook, ParamSchedulerHook
from mmengine.registry import HOOKS
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader


def accumulation(total: int, batch: int, world_size: int, iteration_based: bool = False) -> int:
    """How many batches to accumulate: ``total = batch × processes × accumulated batches``.

    A loop that counts iterations counts batches, so that accumulation would shorten the training
    and stretch its schedule: with ``iteration_based`` there must be none.

    Raises:
        ValueError: If ``batch × world_size`` does not divide ``total``, or ``iteration_based`` and
            is not ``total``.
    """
    count, rest = divmod(total, batch * world_size)
    if rest or count == 0:
        raise ValueError(
            f'The recipe needs a total batch of {total}, found train_dataloader.batch_size={batch} '
            f'× {world_size} processes = {batch * world_size}; set batch_size so that their '
            f'product divides {total} (gradient accumulation then makes up the rest).'
        )
    if count > 1 and iteration_based:
        raise ValueError(
            f'An iteration-based recipe needs its total batch of {total} in every iteration, found '
            f'train_dataloader.batch_size={batch} × {world_size} processes = '
            f'{batch * world_size}; set batch_size so that their product is {total}.'
        )
    return count


@HOOKS.register_module()
class TotalBatchHook(Hook):
    """Sets the gradient accumulation that makes up the recipe's total batch, or refuses to run.

    In a loop that counts iterations, batch size × processes has to be the total batch, see
    :func:`accumulation`.

    Args:
        total_batch_size: Samples per optimiser step, over all processes.

    Raises:
        ValueError: Before the run, if the total batch cannot be kept.
    """

    priority = 'VERY_HIGH'
    acts_in_steps = False

    def __init__(self, total_batch_size: int) -> None:
        self.total_batch_size = total_batch_size

    def before_run(self, runner: Runner) -> None:
        """Set it."""
        count = self.count(runner)
        runner.optim_wrapper._accumulative_counts = count
        runner.logger.info(
            f'Total batch {self.total_batch_size} = {_batch_size(runner.train_dataloader)} per '
            f'process × {get_world_size()} processes × {count} accumulated.'
        )

    def count(self, runner: Runner) -> int:
        """Batches to accumulate, from what the run was started with."""
        batch, world_size = _batch_size(runner.train_dataloader), get_world_size()
        iteration_based = isinstance(runner.train_loop, IterBasedTrainLoop)
        return accumulation(self.total_batch_size, batch, world_size, iteration_based)


def accumulated_batches(runner: Runner) -> int:
    """Batches in an optimiser step of a run, also before its ``TotalBatchHook`` has set it."""
    for hook in runner.hooks:
        if isinstance(hook, TotalBatchHook):
            return hook.count(runner)
    return runner.optim_wrapper._accumulative_counts


def _batch_size(loader: DataLoader) -> int:
    """A loader with a batch sampler, such as mmdet's by aspect ratio, leaves it to that."""
    return loader.batch_size or loader.batch_sampler.batch_size


@HOOKS.register_module()
class OptimizerStepSchedulerHook(ParamSchedulerHook):
    """Moves the learning rate from optimiser step to optimiser step.

    mmengine's hook moves it from batch to batch, so that the rate of a step depends on how many
    batches are accumulated. Here schedules by iterations count optimiser steps;
    :class:`~bootmae_mm.engine.resume.ResumableRunner` turns schedules by epochs into such ones.

    Raises:
        ValueError: If batches are accumulated by another runner.
    """

    def before_train(self, runner: Runner) -> None:
        """Look at the runner."""
        count = accumulated_batches(runner)
        if count > 1 and not getattr(runner, 'counts_optimizer_steps', False):
            raise ValueError(
                f'Schedules count optimiser steps of {count} batches, found a '
                f'{type(runner).__name__}, which counts batches; set '
                "runner_type='ResumableRunner'."
            )

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Move on at the end of an optimiser step."""
        if self.every_n_train_iters(runner, runner.optim_wrapper._accumulative_counts):
            super().after_train_iter(runner, batch_idx, data_batch, outputs)
