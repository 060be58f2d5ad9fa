"""What the health monitor leaves alone: healthy runs, and steps in which it does not measure. And
that processes stop together."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.overrides import TorchFunctionMode

from bootmae_mm.monitors.health.hook import HealthHook
from tests.helpers.health_runs import PER_EPOCH, Inject, config, run, warnings_of
from tests.helpers.images import write_images
from tests.helpers.models import build_tiny
from tests.helpers.paths import ROOT
from tests.helpers.runs import run_config


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    return write_images(tmp_path_factory.mktemp('health'), 4 * PER_EPOCH)


def frozen_teacher(cfg, tmp_path):
    torch.save(build_tiny(seed=5).state_dict(), tmp_path / 'mae.pth')
    cfg.model.teacher = dict(type='FrozenTeacher', checkpoint=str(tmp_path / 'mae.pth'))


def no_teacher(cfg, tmp_path):
    cfg.model.update(predictor=None, feature_head=None, teacher=None)


def late_decay(cfg, tmp_path):
    """The paper's largest decay on a student that hardly moves."""
    cfg.custom_hooks.teacher.milestones = [(0, 0.99999)]
    cfg.optim_wrapper.optimizer.lr = 1e-6


def constant_decay(cfg, tmp_path):
    """A teacher that stays because it is told to."""
    cfg.custom_hooks.teacher.milestones = [(0, 1.0)]


def long_warm_up(cfg, tmp_path):
    """A learning rate from 1e-9 to 2e-6."""
    cfg.param_scheduler = [dict(cfg.param_scheduler[0], end=1000)]


def accumulated(cfg, tmp_path):
    """Measurements without a step in between."""
    cfg.train_dataloader.batch_size = 1
    cfg.default_hooks.logger.interval = 1


def float16(cfg, tmp_path):
    cfg.optim_wrapper.dtype = 'float16'


HEALTHY = [
    frozen_teacher, no_teacher, late_decay, constant_decay, long_warm_up, accumulated, float16,
]  # fmt: skip


@pytest.mark.parametrize('change', HEALTHY)
def test_a_healthy_variant_is_left_alone(change, folder, tmp_path):
    def overflow_once(runner, data_batch):
        token = runner.model.backbone.cls_token
        handle = token.register_hook(lambda grad: (handle.remove(), grad * float('inf'))[1])

    cfg = config(folder, tmp_path / 'run', epochs=2, patience=1)
    cfg.default_hooks.checkpoint.interval = 2
    change(cfg, tmp_path)
    run(cfg, *[Inject(overflow_once)] if change is float16 else [])


def test_a_healthy_run_is_left_alone_and_logged(folder, tmp_path):
    """With the defaults, 48 steps."""
    cfg = config(folder, tmp_path / 'run', epochs=12)
    cfg.default_hooks.checkpoint.interval = 12
    run(cfg)
    assert warnings_of(tmp_path / 'run') == []
    (path,) = (tmp_path / 'run').rglob('scalars.json')
    logs = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(logs) == 24
    for log in logs:
        assert 3 < log['teacher_rank'] <= 23
        assert 0 < log['teacher_image_spread'] <= log['teacher_spread'] <= 1.01
    distances = [log['teacher_distance'] for log in logs]
    assert 0 < distances[0] < 0.005 < distances[-1] < 0.5


class NoTorch(TorchFunctionMode):
    """Refuses every operation on tensors, reading one in particular."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        raise AssertionError(f'{func} in a step without measurement')


def test_steps_without_measurement_do_nothing_on_tensors(folder, tmp_path, monkeypatch):
    """So that the host never waits for the device for the monitor's sake."""
    calls, measured = [], []

    def guarded(method):
        def call(self, runner, batch_idx, *args, **kwargs):
            if (runner.iter + 1) % PER_EPOCH == 0:
                return method(self, runner, batch_idx, *args, **kwargs)
            calls.append(runner.iter)
            with NoTorch():
                return method(self, runner, batch_idx, *args, **kwargs)

        return call

    for name in ('before_train_iter', 'after_train_iter'):
        monkeypatch.setattr(HealthHook, name, guarded(getattr(HealthHook, name)))
    keep = HealthHook.keep_features

    def keep_features(self, *args):
        if self.measuring:
            return keep(self, *args)
        with NoTorch():
            return keep(self, *args)

    def measure(self, runner, *args):
        measured.append(runner.iter)

    monkeypatch.setattr(HealthHook, 'keep_features', keep_features)
    monkeypatch.setattr(HealthHook, 'measure', measure)
    cfg = config(folder, tmp_path / 'run', epochs=2)
    cfg.default_hooks.logger.interval = 50  # the last step of an epoch is measured all the same
    run(cfg)
    assert sorted(calls) == sorted(2 * [0, 1, 2, 4, 5, 6])
    assert measured == [3, 7]


NAN_IN_SECOND_PROCESS = """""
import os, sys
from pathlib import Path
from mmengine.config import Config
from bootmae_mm.monitors.health.faults import NonFiniteTraining
from tests.helpers.health_runs import Inject, nan_pixel, run

rank = int(os.environ['RANK'])
cfg = Config.fromfile(sys.argv[1])
try:
    run(cfg, *[Inject(nan_pixel)] * rank)
except NonFiniteTraining as error:
    Path(cfg.work_dir, f'rank_{rank}.txt').write_text(str(error))
"""


@pytest.mark.long
def test_a_fault_of_one_process_stops_both_with_the_same_words(folder, tmp_path):
    cfg = run_config(folder, tmp_path / 'run', total=4, batch=2, epochs=6)
    cfg.launcher = 'pytorch'
    cfg.dump(str(tmp_path / 'config.py'))
    (tmp_path / 'script.py').write_text(NAN_IN_SECOND_PROCESS)
    launch = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']
    subprocess.run(
        [*launch, tmp_path / 'script.py', tmp_path / 'config.py'],
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)},
        check=True, timeout=300,
    )  # fmt: skip
    first, second = (tmp_path / f'run/rank_{rank}.txt' for rank in range(2))
    assert first.read_text() == second.read_text()
    assert 'for the input images: 1 of 2 have values' in first.read_text()
