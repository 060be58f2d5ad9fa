"""Signals to data-loading processes, to several training processes and to their launcher."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch.utils.data import DataLoader, Dataset

from bootmae_mm.checkpoint.reading import read_checkpoint
from bootmae_mm.engine.build import build_runner
from bootmae_mm.engine.resume import ResumableTrainLoop, TrainingStopped, stopping
from bootmae_mm.engine.resume.workers import SIGNALS, shield
from tests.helpers.images import write_images
from tests.helpers.paths import ROOT
from tests.helpers.resuming import assert_identical
from tests.helpers.runs import run_config


class Slow(Dataset):
    """The process that loads a sample; the last sample hangs."""

    def __init__(self, size: int, hanging: bool) -> None:
        self.size, self.hanging = size, hanging

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> int:
        if self.hanging and index == self.size - 1:
            time.sleep(600)
        return os.getpid()


def test_workers_leave_signals_to_their_parent():
    loader = shield(DataLoader(Slow(40, hanging=False), num_workers=2, prefetch_factor=1))
    batches = iter(loader)
    workers = {next(batches).item(), next(batches).item()}
    assert len(workers) == 2
    for pid in workers:
        for number in SIGNALS:
            subprocess.run(
                [sys.executable, '-c', f'import os; os.kill({pid}, {number})'], check=True
            )
    assert {batch.item() for batch in batches} == workers


@pytest.mark.parametrize('unit', ['epochs', 'iters'])
def test_workers_end_with_the_training(unit, tmp_path):
    """Though the runner, which holds the loaders, is still there."""
    cfg = run_config(write_images(tmp_path / 'images', 8), tmp_path / 'run', total=4, epochs=1)
    cfg.train_dataloader.update(num_workers=1, persistent_workers=True)
    if unit == 'iters':
        cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=1)
        cfg.param_scheduler = None
    before = {*multiprocessing.active_children()}
    runner = build_runner(cfg)
    runner.train()
    assert runner.iter and {*multiprocessing.active_children()} <= before


def test_a_hanging_worker_ends_when_its_parent_wants_it_to():
    loader = shield(DataLoader(Slow(2, hanging=True), num_workers=1))
    batches = iter(loader)
    next(batches)
    (worker,) = batches._workers
    worker.terminate()
    worker.join(timeout=60)
    assert worker.exitcode == 0


def test_the_first_function_of_a_worker_is_still_called(tmp_path):
    def note(worker: int) -> None:
        (tmp_path / str(worker)).touch()

    loader = shield(DataLoader(Slow(4, hanging=False), num_workers=2, worker_init_fn=note))
    list(loader)
    assert {path.name for path in tmp_path.iterdir()} == {'0', '1'}


def test_the_exit_code_goes_where_the_launcher_wants_it(tmp_path, monkeypatch):
    monkeypatch.delenv(stopping.STOP_FILE, raising=False)
    assert stopping.exit_code() == 99 and not stopping.asked_by_launcher()
    monkeypatch.setenv(stopping.STOP_FILE, str(tmp_path / 'stop'))
    assert not stopping.asked_by_launcher()
    (tmp_path / 'stop').touch()
    assert stopping.asked_by_launcher()
    assert stopping.exit_code() == 0 and (tmp_path / 'stop').read_text() == '99'


def stand_in(work_dir: Path, loop: type) -> SimpleNamespace:
    """What the hook needs of a runner in its second epoch, with two batches a step; keeps what is
    written and said."""
    saved, said = [], []
    return SimpleNamespace(
        iter=9, epoch=1, hooks=[], work_dir=work_dir, train_loop=object.__new__(loop),
        optim_wrapper=SimpleNamespace(_accumulative_counts=2),
        save_checkpoint=lambda folder, name, meta: saved.append((name, meta)),
        logger=SimpleNamespace(warning=said.append), saved=saved, said=said,
    )  # fmt: skip


@pytest.mark.parametrize(
    ('loop', 'saved', 'said'),
    [
        (ResumableTrainLoop, [('iter_10.pth', dict(epoch=1, iter=10))], 'everything up to here'),
        (EpochBasedTrainLoop, [], 'its epochs up to here'),  # cannot go on inside an epoch
    ],
)
def test_the_launchers_file_stops_a_run_after_its_step(tmp_path, monkeypatch, loop, saved, said):
    monkeypatch.setenv(stopping.STOP_FILE, str(tmp_path / 'stop'))
    hook, runner = stopping.StopOnSignalHook(), stand_in(tmp_path, loop)
    hook.after_train_iter(runner, 3)
    (tmp_path / 'stop').touch()
    runner.iter = 8
    hook.after_train_iter(runner, 2)
    assert runner.said == []
    runner.iter = 9
    with pytest.raises(TrainingStopped) as caught:
        hook.after_train_iter(runner, 3)
    assert caught.value.code == 0 and (tmp_path / 'stop').read_text() == '99'
    assert runner.saved == saved
    assert f'Stopped by SIGTERM after iteration 10; {said}' in runner.said[0]


@pytest.mark.parametrize(
    ('loop', 'signalled', 'stopped'),
    [
        (ResumableTrainLoop, 1, 2),
        (ResumableTrainLoop, 4, 4),  # the last step of an epoch
        (IterBasedTrainLoop, 1, 2),
        (IterBasedTrainLoop, 4, 5),
        (IterBasedTrainLoop, 3, 3),  # a validation follows
    ],
)
def test_of_several_processes_one_learns_a_step_later_that_another_was_signalled(
    tmp_path, monkeypatch, loop, signalled, stopped
):
    """Steps of two batches, five an epoch, a validation after eight; another process is signalled
    in a step, this one never."""
    others = iter([0] * signalled + [signal.SIGUSR1] * 9)

    def all_reduce(number: torch.Tensor, op: str) -> None:
        assert op == 'max'
        number.fill_(max(number.item(), next(others)))

    monkeypatch.setattr(stopping, 'get_world_size', lambda: 2)
    monkeypatch.setattr(stopping, 'get_comm_device', lambda: torch.device('cpu'))
    monkeypatch.setattr(stopping, 'all_reduce', all_reduce)
    hook, runner = stopping.StopOnSignalHook(), stand_in(tmp_path, loop)
    runner.train_loop.val_interval = 8
    runner.train_dataloader = range(10)
    with pytest.raises(TrainingStopped):
        for runner.iter in range(20):
            hook.after_train_iter(runner, runner.iter)
    assert runner.iter == 2 * stopped + 1
    assert 'Stopped by SIGUSR1' in runner.said[0]


def config_file(folder: Path, name: str, drop_path: float = 0.2) -> Path:
    """A run of 2 processes × batch 2 × 2 accumulated batches, with workers and drop path."""
    cfg = run_config(folder / 'images', folder / name, total=8, batch=2, epochs=6)
    cfg.model.backbone.drop_path_rate = drop_path
    cfg.optim_wrapper.optimizer.eps = 1e-4  # see test_distributed.py
    cfg.train_dataloader.update(num_workers=1, persistent_workers=True)
    cfg.dump(folder / f'{name}.py')
    return folder / f'{name}.py'


def launch(config: Path, work_dir: Path, processes: int = 2) -> subprocess.Popen:
    """Through the script that users call."""
    return subprocess.Popen(
        [ROOT / 'tools/dist_train.sh', config, str(processes), '--work-dir', work_dir],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )


def iterations(work_dir: Path) -> int:
    """Batches that the run has logged."""
    logs = sorted(work_dir.rglob('scalars.json'))
    lines = [json.loads(line) for path in logs for line in path.read_text().splitlines()]
    return max((line['step'] for line in lines if 'step' in line), default=0)


@pytest.mark.long
@pytest.mark.parametrize('whom', ['the launch script', 'the second process', 'everybody'])
def test_two_processes_stop_together_and_go_on(tmp_path, whom):
    write_images(tmp_path / 'images', 26)
    whole = launch(config_file(tmp_path, 'whole'), tmp_path / 'whole')
    assert whole.wait() == 0, whole.stdout.read()

    config, work_dir = config_file(tmp_path, 'stopped'), tmp_path / 'stopped'
    first = launch(config, work_dir)
    while iterations(work_dir) < 7:
        assert first.poll() is None, first.stdout.read()
        time.sleep(0.01)
    if whom == 'the launch script':
        first.send_signal(signal.SIGTERM)
    else:
        signalled = training_processes(work_dir)
        for pid in signalled[1:2] if whom == 'the second process' else signalled:
            os.kill(pid, signal.SIGUSR1)
    output, _ = first.communicate()
    assert first.returncode == 99, output
    assert 'start again with the same command to go on' in output

    second = launch(config, work_dir)
    assert second.wait() == 0, second.stdout.read()
    expected, found = (read_checkpoint(tmp_path / n / 'epoch_6.pth') for n in ('whole', 'stopped'))
    for part in ('state_dict', 'optimizer'):
        assert_identical(expected[part], found[part], part)


@pytest.mark.long
def test_one_process_goes_on_for_two(tmp_path):
    """With four accumulated batches instead of two: the same weights but for rounding."""
    write_images(tmp_path / 'images', 26)
    whole = launch(config_file(tmp_path, 'whole', drop_path=0.0), tmp_path / 'whole')
    assert whole.wait() == 0, whole.stdout.read()

    config, work_dir = config_file(tmp_path, 'stopped', drop_path=0.0), tmp_path / 'stopped'
    first = launch(config, work_dir)
    while iterations(work_dir) < 7:
        assert first.poll() is None, first.stdout.read()
        time.sleep(0.01)
    first.send_signal(signal.SIGTERM)
    output, _ = first.communicate()
    assert first.returncode == 99, output
    second = launch(config, work_dir, processes=1)
    output, _ = second.communicate()
    assert second.returncode == 0, output
    assert 'Total batch 8 = 2 per process × 1 processes × 4 accumulated' in output
    expected, found = (read_checkpoint(tmp_path / n / 'epoch_6.pth') for n in ('whole', 'stopped'))
    assert expected['meta']['optimizer_steps'] == found['meta']['optimizer_steps'] == 18
    for name, tensor in expected['state_dict'].items():
        torch.testing.assert_close(found['state_dict'][name], tensor, rtol=1e-4, atol=1e-5)


def training_processes(work_dir: Path) -> list[int]:
    """Training processes of a run in the order of their ranks, followed by their workers."""
    found = []
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            command = (folder / 'cmdline').read_bytes().split(b'\0')
            settings = (folder / 'environ').read_bytes().split(b'\0')
            parent = int((folder / 'stat').read_text().rpartition(')')[2].split()[1])
        except OSError:  # it has ended
            continue
        rank = [s for s in settings if s.startswith(b'RANK=')]
        if rank and str(work_dir).encode() in command:
            found.append((int(folder.name), parent, rank[0]))
    pids = {pid for pid, _, _ in found}
    trainers = sorted((rank, pid) for pid, parent, rank in found if parent not in pids)
    workers = [pid for pid, parent, _ in found if parent in pids]
    return [pid for _, pid in trainers] + workers
