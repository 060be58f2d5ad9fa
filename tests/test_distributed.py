"""Two processes against one: the same losses and the same weights to float32 round-off."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bootmae_mm import checkpoint
from bootmae_mm.training import build_runner

from .conftest import ROOT, run_config, write_images


def losses(work_dir: Path) -> list:
    lines = next(work_dir.rglob('scalars.json')).read_text().splitlines()
    return [json.loads(line)['loss'] for line in lines]


def train_single(cfg) -> None:
    build_runner(cfg).train()


def train_double(cfg, tmp_path: Path) -> None:
    """With the user's command, from another directory than the project's."""
    cfg.dump(str(tmp_path / 'config.py'))
    subprocess.run(
        ['bash', str(ROOT / 'tools/dist_train.sh'), 'config.py', '2'],
        cwd=tmp_path, env={**os.environ, 'OMP_NUM_THREADS': '1'}, check=True, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope='module')
def runs(tmp_path_factory) -> dict:
    """16 images, total batch 8, two epochs: one process with 8, two with 4, one with 2 × 4."""
    root = tmp_path_factory.mktemp('distributed')
    folder = write_images(root / 'images', 18)

    def config(name: str, batch: int):
        cfg = run_config(folder, root / name, total=8, batch=batch)
        cfg.param_scheduler = [cfg.param_scheduler[1]]
        cfg.param_scheduler[0].begin = 0
        return cfg

    train_single(config('one', batch=8))
    train_single(config('accumulated', batch=4))
    train_double(config('two', batch=4), root)
    return {name: root / name for name in ('one', 'two', 'accumulated')}


def test_two_processes_give_the_losses_of_one(runs):
    assert len(losses(runs['one'])) == 4
    assert losses(runs['two']) == pytest.approx(losses(runs['one']), rel=2e-5)


@pytest.mark.parametrize('other', ['two', 'accumulated'])
def test_the_weights_are_the_same_to_round_off(other, runs):
    one, two = (checkpoint.read_state_dict(runs[name] / 'epoch_2.pth') for name in ('one', other))
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=2e-5, rtol=1e-4, msg=name)


def test_the_student_has_moved(runs):
    """The comparison above would hold for runs that do nothing."""
    state = checkpoint.read_state_dict(runs['one'] / 'epoch_2.pth')
    moved = [
        (value - state[name.replace('backbone.', 'teacher.encoder.')]).abs().max()
        for name, value in state.items()
        if name.startswith('backbone.layers')
    ]
    assert max(moved) > 1e-4


COUNT_THREADS = """
import gc, os, sys
from mmengine.config import Config
import bootmae_mm
from bootmae_mm import training

gc.disable()
training.train(Config.fromfile(sys.argv[1]))
left = [open(f'/proc/self/task/{id}/comm').read() for id in os.listdir('/proc/self/task')]
print(sum(name.startswith(('pt_tcpstore', 'pt_gloo', 'gloo')) for name in left), 'threads')
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='reads the names of threads from /proc')
def test_no_thread_of_the_process_group_outlives_training(tmp_path):
    """One that did aborted the process at its exit, now and then."""
    cfg = run_config(write_images(tmp_path / 'images', 4), tmp_path / 'run', total=4, batch=4)
    cfg.launcher = 'pytorch'
    cfg.dump(str(tmp_path / 'config.py'))
    alone = dict(RANK='0', WORLD_SIZE='1', MASTER_ADDR='127.0.0.1', MASTER_PORT='0')
    result = subprocess.run(
        [sys.executable, '-c', COUNT_THREADS, tmp_path / 'config.py'],
        env={**os.environ, **alone, 'OMP_NUM_THREADS': '1'}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.stdout.splitlines()[-1:] == ['0 threads'], result.stderr[-2000:]
