"""Tiny runs under the health monitor, and how to put a fault into one."""

import re
from pathlib import Path
from unittest.mock import patch

import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from bootmae_mm.engine.build import build_runner
from tests.helpers.runs import run_config

PER_EPOCH, INTERVAL, PATIENCE, SPIKE_STEPS = 4, 2, 3, 5
START = 4  # iteration of the fault, from 0: the first one of the second epoch
MEASURED = 1  # steps from there until the first measurement that can see it
STOPPED = MEASURED + (PATIENCE - 1) * INTERVAL


def config(folder: Path, work_dir: Path, epochs: int = 6, **health):
    """Four steps an epoch; measured after every second one."""
    cfg = run_config(folder, work_dir, total=4, batch=4, epochs=epochs)
    cfg.default_hooks.logger.interval = INTERVAL
    cfg.custom_hooks.health.update(health)
    return cfg


class Inject(Hook):
    """Calls ``fault(runner, data_batch)`` before a step, or before all from there on."""

    priority = 'VERY_HIGH'

    def __init__(self, fault, start: int = START, once: bool = True):
        self.fault, self.start, self.once = fault, start, once

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.start or (runner.iter > self.start and not self.once):
            self.fault(runner, data_batch)


def run(cfg, *hooks: Hook) -> None:
    """Train with more hooks; without the text of the config, which takes longer than all steps to
    format for logs and checkpoints."""
    with patch.object(Config, 'pretty_text', ''):
        runner = build_runner(cfg)
        for hook in hooks:
            runner.register_hook(hook)
        runner.train()


def text_of(work_dir: Path) -> str:
    """All logs of the runs in a folder."""
    return '\n'.join(path.read_text() for path in sorted(work_dir.rglob('*.log')))


def warnings_of(work_dir: Path) -> list[tuple[int, str]]:
    """Iteration and part of every warning of the monitor."""
    found = re.findall(r'Iteration (\d+), ([^:]*): .*training stops after', text_of(work_dir))
    return [(int(number), part) for number, part in found]


def nan_pixel(runner, data_batch):
    data_batch['inputs'] = torch.stack(list(data_batch['inputs'])).float()
    data_batch['inputs'][1, 2, 3, 4] = float('nan')
