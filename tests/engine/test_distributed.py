"""One, two and four processes with the same total batch: the same samples, losses and weights."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from bootmae_mm import checkpoint
from bootmae_mm.engine.build import build_runner
from tests.helpers.images import write_images
from tests.helpers.launching import dist_train
from tests.helpers.runs import run_config
from tests.helpers.samples import digest

TOTAL = 8
LOSSES = ('loss', 'L_pixel', 'L_feature', 'grad_norm')
# name: processes, batch of each, loading processes of each
RUNS = {'one': (1, 8, 0), 'accumulated': (1, 2, 2), 'two': (2, 4, 1), 'four': (4, 2, 0)}
OTHERS = ['accumulated', 'two', pytest.param('four', marks=pytest.mark.long)]


@HOOKS.register_module()
class StepRecord(Hook):
    """Writes what a process was trained on and its losses to ``steps_RANK.json``."""

    def __init__(self) -> None:
        self.batches = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        samples = [
            (runner.epoch, data.sample_idx, digest(dict(inputs=image, data_samples=data)))
            for image, data in zip(data_batch['inputs'], data_batch['data_samples'], strict=True)
        ]
        log = {name: outputs[name] for name in LOSSES[:3]}
        if runner.optim_wrapper.should_update():
            log['grad_norm'] = runner.message_hub.get_scalar('train/grad_norm').current()
        self.batches.append(dict(samples=samples, log=log))

    def after_train(self, runner):
        path = Path(runner.work_dir) / f'steps_{get_rank()}.json'
        path.write_text(json.dumps(self.batches))


def config_of(name: str, folder: Path, work_dir: Path):
    """16 of 18 images, two epochs of two steps.

    With AdamW's own epsilon, a gradient of the size of a rounding error moves a weight by a whole
    learning rate in either direction, and a gradient ten times too large changes nothing: 1e-4 is
    above the smallest gradients, so that weights differ by little and a wrong scale is seen.
    """
    _, batch, workers = RUNS[name]
    cfg = run_config(folder, work_dir, total=TOTAL, batch=batch)
    cfg.train_dataloader.update(num_workers=workers, persistent_workers=workers > 0)
    cfg.optim_wrapper.optimizer.eps = 1e-4
    cfg.custom_hooks.record = dict(type='StepRecord', priority='VERY_LOW')
    cfg.custom_imports.imports.append('tests.engine.test_distributed')
    return cfg


def launch(cfg, processes: int, folder: Path) -> None:
    """With the user's command, from another directory than the project's."""
    cfg.dump(str(folder / 'config.py'))
    result = dist_train('config.py', processes, folder)
    assert result.returncode == 0, result.stderr[-6000:]


@pytest.fixture(scope='module')
def run_of(tmp_path_factory):
    """The work directory of a run of ``RUNS``, trained when it is first asked for."""
    root = tmp_path_factory.mktemp('distributed')
    folder = write_images(root / 'images', 18)

    @cache
    def run(name: str) -> Path:
        cfg, processes = config_of(name, folder, root / name), RUNS[name][0]
        if processes == 1:
            build_runner(cfg).train()
        else:
            launch(cfg, processes, root)
        return root / name

    return run


def steps_of(work_dir: Path) -> list[dict]:
    """Of every optimiser step the samples of all processes, the mean losses and the norm."""
    processes = [json.loads(path.read_text()) for path in sorted(work_dir.glob('steps_*.json'))]
    batches = TOTAL // (len(processes) * len(processes[0][0]['samples']))
    steps = []
    for start in range(0, len(processes[0]), batches):
        parts = [batch for record in processes for batch in record[start : start + batches]]
        logs = [part['log'] for part in parts]
        steps.append(
            dict(
                samples=sorted(tuple(sample) for part in parts for sample in part['samples']),
                log={k: mean([log[k] for log in logs if k in log]) for k in LOSSES},
            )
        )
    return steps


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


@pytest.mark.parametrize('other', OTHERS)
def test_a_step_sees_the_same_pictures_and_masks(other, run_of):
    one, two = (steps_of(run_of(name)) for name in ('one', other))
    assert [len({index for _, index, _ in step['samples']}) for step in one] == [TOTAL] * 4
    assert [step['samples'] for step in two] == [step['samples'] for step in one]


@pytest.mark.parametrize('other', OTHERS)
def test_losses_and_gradient_norms_are_the_same(other, run_of):
    """Every process's records are averages over all of them."""
    one, two = (steps_of(run_of(name)) for name in ('one', other))
    for step, expected in zip(two, one, strict=True):
        assert step['log'] == pytest.approx(expected['log'], rel=1e-5)


@pytest.mark.parametrize('other', OTHERS)
def test_the_weights_are_the_same_to_round_off(other, run_of):
    one, two = (checkpoint.read_state_dict(run_of(n) / 'epoch_2.pth') for n in ('one', other))
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=1e-6, rtol=1e-5, msg=name)


def test_the_student_has_moved(run_of):
    """The comparison above would hold for runs that do nothing."""
    state = checkpoint.read_state_dict(run_of('one') / 'epoch_2.pth')
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
