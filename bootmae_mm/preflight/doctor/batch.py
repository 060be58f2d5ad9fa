"""Total batch and learning rate."""

import math
from collections.abc import Iterator

from mmengine.config import Config

from ...engine.hooks import hook_list
from ..data.files import Finding
from .case import Case, in_words

PER = 256  # images, the unit in which learning rates of this field are stated


def check_batch(case: Case) -> Iterator[Finding]:
    """How the total batch comes about on this number of GPUs, and whether the learning rate went
    along with it.

    Raises:
        ValueError: If the recipe's total batch cannot be kept on so many GPUs.
    """
    cfg, batch, count = case.cfg, case.cfg.train_dataloader.batch_size, case.accumulated
    total = total_batch(cfg, case.gpus)
    if case.hook('TotalBatchHook') is not None:
        dealt = cfg.train_dataloader.sampler.get('total_batch_size', total)
        if dealt != total:
            yield Finding(
                'error',
                'Expected one total batch in train_dataloader.sampler.total_batch_size and in '
                f'custom_hooks (TotalBatchHook), found {dealt} and {total}; set both alike.',
            )
    gpus = f'{case.gpus} GPU{"s" * (case.gpus > 1)}'
    yield Finding('ok', f'Total batch {total} = {batch} × {gpus} × {count} accumulated.')
    yield from check_rate(case, total)


def check_epoch(case: Case) -> Iterator[Finding]:
    """Whether an epoch has an optimiser step."""
    if isinstance(case.batches, Exception):
        yield Finding('error', f'train_dataloader.sampler: {in_words(case.batches)}')
    elif case.batches is not None and case.steps is not None and not case.iteration_based:
        if case.steps:
            yield Finding('ok', f'{case.steps:,} optimiser step{"s" * (case.steps > 1)}.')
        else:
            yield Finding('error', no_step(case))


def no_step(case: Case) -> str:
    """What to set where the train set is smaller than a total batch."""
    pictures, batch = len(case.datasets['train']), case.cfg.train_dataloader.batch_size
    share = max(1, pictures // case.gpus)
    fitting = min(batch, 1 << (share.bit_length() - 1))
    advice = f'train_dataloader.batch_size={fitting}'
    if case.hook('TotalBatchHook') is not None:
        advice += f' and custom_hooks.total_batch.total_batch_size={fitting * case.gpus}'
    return (
        f'Expected at least one total batch in the train set, found {pictures} pictures for '
        f'batches of {batch} × {case.gpus} GPUs × {case.accumulated} accumulated; set {advice} or '
        'less (and the learning rate with them), or take fewer GPUs.'
    )


def total_batch(cfg: Config, gpus: int) -> int:
    """The recipe's, or what batch, GPUs and accumulation make."""
    hooks = [h for h in hook_list(cfg.get('custom_hooks')) if h.type == 'TotalBatchHook']
    if hooks:
        return hooks[0].total_batch_size
    return cfg.train_dataloader.batch_size * gpus * cfg.optim_wrapper.get('accumulative_counts', 1)


def check_rate(case: Case, total: int) -> Iterator[Finding]:
    """The learning rate per image against that of the config's file."""
    rate = case.cfg.optim_wrapper.optimizer.lr
    written = case.written.optim_wrapper.optimizer.lr
    written_total = total_batch(case.written, case.gpus)
    if total != written_total and math.isclose(rate, written):
        yield Finding(
            'warning',
            f"Expected the learning rate to go along with the total batch, found the file's "
            f'{written:g}, which is for {written_total}, with {total}; set '
            f'optim_wrapper.optimizer.lr={written * total / written_total:g}, or keep the total '
            'batch.',
        )
    else:
        yield Finding('ok', f'Learning rate {rate:g} = {rate * PER / total:.3g} × {total} / {PER}.')
