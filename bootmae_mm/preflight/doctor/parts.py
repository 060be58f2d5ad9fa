"""Whether the parts of a config can be built: their constructors say which sizes do not fit."""

from collections.abc import Iterator

import torch
from mmengine.registry import OPTIM_WRAPPERS, TRANSFORMS

from ..config.check import config_problems
from ..data.files import Finding
from .case import Case, in_words


def check_keys(case: Case) -> Iterator[Finding]:
    """Keys, types and values of the whole config."""
    problems = config_problems(case.cfg)
    for sentence in problems:
        yield Finding('error', sentence)
    if not problems:
        yield Finding('ok', 'Every key and type is known.')


def check_model(case: Case) -> Iterator[Finding]:
    """Build the model without memory for its weights."""
    if case.model is None:
        yield Finding('error', in_words(case.built))
        return
    total = sum(p.numel() for p in case.model.parameters())
    trained = sum(p.numel() for p in case.model.parameters() if p.requires_grad)
    yield Finding(
        'ok', f'{type(case.model).__name__}, {total / 1e6:.1f} M parameters, {trained / 1e6:.1f} M '
        'of them trained.',
    )  # fmt: skip


def check_pipelines(case: Case) -> Iterator[Finding]:
    """Build every transform."""
    count = 0
    for split in ('train', 'val', 'test'):
        dataset = (case.cfg.get(f'{split}_dataloader') or {}).get('dataset') or {}
        for index, transform in enumerate(dataset.get('pipeline') or ()):
            try:
                with case.scope():
                    TRANSFORMS.build(transform)
                count += 1
            except Exception as error:  # constructors of any toolbox may raise anything
                where = f'{split}_dataloader.dataset.pipeline.{index}'
                yield Finding('error', f'{where}: {in_words(error)}')
    yield Finding('ok', f'{count} transforms.')


def check_precision(case: Case) -> Iterator[Finding]:
    """Build the optimiser's wrapper, around an optimiser of one number.

    Raises:
        ValueError: If its precision is not known.
    """
    wrapper = dict(case.cfg.optim_wrapper)
    for name in ('constructor', 'paramwise_cfg', 'optimizer'):
        wrapper.pop(name, None)
    if wrapper.get('type') == 'AmpOptimWrapper':
        yield Finding('note', 'AmpOptimWrapper is not tried, as it refuses to be built on a CPU.')
        return
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    with case.scope():
        built = OPTIM_WRAPPERS.build(
            {'type': 'OptimWrapper', **wrapper}, default_args=dict(optimizer=optimizer)
        )
    yield Finding('ok', f'{type(built).__name__}, {wrapper.get("dtype", "its default precision")}.')
