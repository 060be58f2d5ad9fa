"""A process that fails, dies or hangs ends the run, whose last words name it and the reason."""

import multiprocessing
import os
import re
import signal
import socket
import time
from datetime import timedelta

import pytest
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import distributed as dist

from bootmae_mm.engine import distributed
from bootmae_mm.engine.distributed import explain, join_over_gloo, report_failures
from tests.helpers.images import write_images
from tests.helpers.launching import dist_train
from tests.helpers.runs import run_config

MINUTE = 60


def fail() -> None:
    raise ValueError('expected a picture, found a poem')


def be_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def vanish() -> None:
    os._exit(7)


def hang() -> None:
    time.sleep(10 * MINUTE)


def lose_a_loading_process() -> None:
    for child in multiprocessing.active_children():
        os.kill(child.pid, signal.SIGKILL)


WAYS = {way.__name__: way for way in (fail, be_killed, vanish, hang, lose_a_loading_process)}


@HOOKS.register_module()
class Die(Hook):
    """Has rank 1 die before its second batch, after writing the time to ``died``."""

    def __init__(self, way: str, path: str) -> None:
        self.way = WAYS[way]
        self.path = path

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if get_rank() == 1 and runner.iter == 1:
            with open(self.path, 'w') as file:
                file.write(str(time.time()))
            self.way()


@pytest.mark.parametrize(
    ('way', 'words'),
    [
        ('fail', 'ValueError: expected a picture, found a poem'),
        pytest.param('be_killed', 'Signal 9 (SIGKILL)', marks=pytest.mark.long),
        pytest.param('vanish', 'exitcode  : 7', marks=pytest.mark.long),
        pytest.param('hang', 'TimeoutError: rank 1 hangs in', marks=pytest.mark.long),
        pytest.param(
            'lose_a_loading_process',
            'RuntimeError: Expected the processes that load data to live',
            marks=pytest.mark.long,
        ),
    ],
)
def test_the_run_ends_within_a_minute_with_the_reason(way, words, tmp_path):
    """With the user's command, and a short time-out."""
    cfg = run_config(write_images(tmp_path / 'images', 64), tmp_path / 'run')
    cfg.train_dataloader.update(num_workers=1)
    cfg.env_cfg.dist_cfg.timeout = 20
    cfg.custom_hooks.die = dict(type='Die', way=way, path=str(tmp_path / 'died'))
    cfg.custom_imports.imports.append('tests.engine.test_dying_rank')
    cfg.dump(str(tmp_path / 'config.py'))
    result = dist_train('config.py', 2, tmp_path)
    took = time.time() - float((tmp_path / 'died').read_text())
    assert result.returncode != 0
    assert took < MINUTE
    summary = result.stderr.rpartition('Root Cause (first observed failure)')[2]
    assert words in summary, result.stderr[-5000:]
    assert re.search(r'rank +: (\d)', summary)[1] == '1'
    if way == 'hang':
        assert 'in hang; the others' in summary
        assert 'time.sleep(10 * MINUTE)' in result.stdout  # the whole stack


def connect(rank: int, port: int, timeout: float) -> None:
    settings = dict(RANK=rank, WORLD_SIZE=3, MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
    os.environ.update({name: str(value) for name, value in settings.items()})
    join_over_gloo(dict(backend='nccl', timeout=timeout))


def speak_together(rank: int, port: int, way: str, words) -> None:
    """Rank 1 of three processes does something else than adding numbers."""

    @report_failures()
    def main() -> None:
        connect(rank, port, timeout=5)
        dist.all_reduce(torch.ones(1))
        if rank == 1:
            WAYS[way]()
        dist.all_reduce(torch.ones(1))

    distributed.GRACE = 2.0
    try:
        main()
    except Exception as error:
        words.put((rank, f'{type(error).__name__}: {error}'))
        time.sleep(6)  # what keeps the store is to live longer than the others


def free_port() -> int:
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        return found.getsockname()[1]


@pytest.mark.parametrize(
    ('way', 'reason'),
    [
        ('fail', 'rank 1 failed with ValueError: expected a picture, found a poem'),
        ('hang', 'rank 1 (dead or unknown) of 3 processes took no part in the communication'),
        ('be_killed', 'rank 1 (dead or unknown) of 3 processes took no part'),
    ],
)
def test_the_others_say_who_and_why(way, reason):
    context = multiprocessing.get_context('fork')
    words, port = context.Queue(), free_port()
    processes = [
        context.Process(target=speak_together, args=(rank, port, way, words)) for rank in range(3)
    ]
    for process in processes:
        process.start()
    try:
        said = dict(words.get(timeout=MINUTE) for _ in range(3 if way == 'fail' else 2))
    finally:
        for process in processes:
            process.kill()
            process.join()
    assert said[0].startswith(f'RuntimeError: Stopped since {reason}')
    assert said[2].startswith(f'RuntimeError: Stopped since {reason}')
    assert said.get(1, '').startswith('ValueError: expected a picture' if way == 'fail' else '')


def test_the_time_out_of_the_config_is_that_of_the_process_group(monkeypatch):
    found = {}
    monkeypatch.setattr(dist, 'init_process_group', lambda backend, **rest: found.update(rest))
    join_over_gloo(dict(backend='nccl', timeout=90))
    assert found == dict(timeout=timedelta(seconds=90))
    join_over_gloo(dict(backend='nccl'))
    assert found == dict(timeout=None)


def test_a_single_process_says_when_a_loading_process_was_killed():
    killed = RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed. ')
    assert 'lower train_dataloader.num_workers' in explain(killed)
    assert 'killed by signal: Killed' in explain(killed)
    assert explain(RuntimeError('something else')) is None


def test_an_exception_passes_and_reaches_the_launchers_file(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCHELASTIC_ERROR_FILE', str(tmp_path / 'error.json'))
    with pytest.raises(ValueError, match='found a poem'), report_failures():
        fail()
    assert 'ValueError: expected a picture, found a poem' in (tmp_path / 'error.json').read_text()
    with report_failures():
        pass
