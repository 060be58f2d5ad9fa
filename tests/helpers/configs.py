"""The shipped configs, and what is built from them."""

from copy import deepcopy
from functools import cache

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS, PARAM_SCHEDULERS, DefaultScope

from tests.helpers.paths import ROOT


def load(name: str) -> Config:
    """A config by its path below ``configs/``, without ``.py``."""
    return Config.fromfile(ROOT / f'configs/{name}.py')


def build(cfg: Config) -> torch.nn.Module:
    """The model, without memory for its weights."""
    with DefaultScope.overwrite_default_scope(cfg.default_scope), torch.device('meta'):
        return MODELS.build(deepcopy(cfg.model))


def flat(cfg: object, prefix: str = '') -> dict[str, object]:
    """Every setting by its dotted name."""
    if isinstance(cfg, list | tuple):
        cfg = {str(index): value for index, value in enumerate(cfg)}
    if not isinstance(cfg, dict):
        return {prefix: cfg}
    return {k: v for key, value in cfg.items() for k, v in flat(value, f'{prefix}.{key}').items()}


@cache
def settings(name: str) -> dict[str, object]:
    """Every setting of a config by its dotted name."""
    return {key[1:]: value for key, value in flat(load(name).to_dict()).items()}


def changes(config: str, base: str) -> dict[str, object]:
    """The settings in which a config differs from another, with its own values."""
    ours, theirs = settings(config), settings(base)
    names = ours.keys() | theirs.keys()
    return {name: ours.get(name) for name in names if ours.get(name) != theirs.get(name)}


def rates(cfg: Config, length: int = 1, wrapper: OptimWrapper | None = None) -> np.ndarray:
    """Learning rates ``(steps, groups)`` of a whole run as mmengine's schedulers give them.

    ``length`` is the number of steps in an epoch; ``wrapper`` that of the optimiser, or one with a
    single parameter.
    """
    if wrapper is None:
        lr = cfg.optim_wrapper.optimizer.lr
        wrapper = OptimWrapper(torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr))
    by_step, by_epoch = [], []
    for item in deepcopy(cfg.param_scheduler):
        scheduler = PARAM_SCHEDULERS.get(item.pop('type'))
        schedulers = by_epoch if item['by_epoch'] else by_step
        if item.pop('convert_to_iter_based', False):
            item.update(epoch_length=length, end=item.get('end', cfg.train_cfg.get('max_epochs')))
            scheduler, schedulers = scheduler.build_iter_from_epoch, by_step
        schedulers.append(scheduler(optimizer=wrapper, **item))
    steps = cfg.train_cfg.get('max_iters') or cfg.train_cfg.max_epochs * length
    found = np.empty((steps, len(wrapper.param_groups)))
    for step in range(steps):
        found[step] = [group['lr'] for group in wrapper.param_groups]
        for scheduler in by_step:
            scheduler.step()
        if (step + 1) % length == 0:
            for scheduler in by_epoch:
                scheduler.step()
    return found
