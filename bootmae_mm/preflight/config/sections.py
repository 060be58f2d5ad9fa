"""The keys at the top of a config, and which of them go together."""

import inspect
from collections.abc import Iterator, Mapping

from mmengine.runner import Runner

from .nearest import nearest, remedy
from .registries import is_scope

# What else mmengine reads beside its runner's arguments, its toolboxes' tools, and our runner.
OTHERS = (
    'accept_changes', 'activation_checkpointing', 'compile', 'custom_imports',
    'efficient_conv_bn_eval', 'find_unused_parameters', 'model_wrapper_cfg', 'runner_type',
    'sync_bn', 'tta_model', 'tta_pipeline',
)  # fmt: skip
# Variables that configs of this stack define for themselves.
CONVENTIONAL = (
    'data_root', 'dataset_type', 'train_pipeline', 'val_pipeline', 'test_pipeline', 'train_dataset',
    'val_dataset', 'test_dataset', 'max_epochs', 'max_iters', 'optimizer',
)  # fmt: skip
TOOLBOXES = ('mmengine', 'mmpretrain', 'mmseg', 'mmdet')
ENVIRONMENT = ('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit')
SIMILAR = 0.84  # from here on a key is taken for a misspelt one
TOGETHER = {
    'train': ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    'val': ('val_dataloader', 'val_cfg', 'val_evaluator'),
    'test': ('test_dataloader', 'test_cfg', 'test_evaluator'),
}


def sections() -> set[str]:
    """The keys at the top of a config that something reads."""
    return {*inspect.signature(Runner.__init__).parameters, *OTHERS} - {'self', 'cfg'}


def section_problems(cfg: Mapping) -> Iterator[str]:
    """What is wrong with the keys of a whole config, a sentence each."""
    known = sections()
    misspelt = {}
    for key in cfg:
        if key in known or key in CONVENTIONAL:
            continue
        near = nearest(key, known, cutoff=SIMILAR)
        if near is not None and not _within(cfg[key], cfg.get(near)):
            misspelt[near] = key
            yield f'Expected the keys of a config, found {key!r}; write {near!r}.'
    yield from _incomplete(cfg, misspelt)
    yield from _unknown(cfg, 'env_cfg', ENVIRONMENT)
    yield from _unknown(
        cfg, 'randomness', set(inspect.signature(Runner.set_randomness).parameters) - {'self'}
    )
    scope = cfg.get('default_scope')
    if scope is not None and not is_scope(scope):
        yield (
            f'Expected an installed toolbox as default_scope, found {scope!r}; '
            f'{remedy(scope, TOOLBOXES)}.'
        )
    loop = cfg.get('train_cfg') or {}
    if loop and ('type' in loop) == ('by_epoch' in loop):
        yield (
            'Expected either type or by_epoch in train_cfg, found '
            f'{"both" if "type" in loop else "neither"}; give one of them.'
        )


def _within(value: object, other: object) -> bool:
    """Whether ``other`` has all that is in ``value``, as if made of a variable with this value."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return all(key in other and _within(item, other[key]) for key, item in value.items())
    return value == other


def _incomplete(cfg: Mapping, misspelt: Mapping) -> Iterator[str]:
    """Parts that the runner wants all of or none; ``misspelt`` ones have been told already."""
    for keys in TOGETHER.values():
        absent = [key for key in keys if cfg.get(key) is None]
        if 0 < len(absent) < len(keys) and not set(absent) & set(misspelt):
            yield (
                f'Expected all of {", ".join(keys)} or none, found no {" and no ".join(absent)}; '
                'add what is missing.'
            )


def _unknown(cfg: Mapping, section: str, known) -> Iterator[str]:
    for key in cfg.get(section) or {}:
        if key not in known:
            yield f'Expected the settings of {section}, found {key!r}; {remedy(key, known)}.'
