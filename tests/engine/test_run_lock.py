"""One run in a work directory at a time."""

import multiprocessing
import os
import signal
import socket
import time

import pytest
from mmengine.config import Config

from bootmae_mm import training
from bootmae_mm.engine.run_lock import only_run
from bootmae_mm.preflight.doctor.case import Case
from bootmae_mm.preflight.doctor.work_dir import check_work_dir

CONTEXT = multiprocessing.get_context('fork')


def hold(folder, ready, fork: bool) -> None:
    with only_run(folder):
        if fork:  # as a loader's worker, which may outlive a killed run by seconds
            child = CONTEXT.Process(target=time.sleep, args=(60,))
            child.start()
            ready.put(child.pid)
        ready.put(os.getpid())
        time.sleep(60)


def holder(folder, fork: bool = False):
    ready = CONTEXT.Queue()
    process = CONTEXT.Process(target=hold, args=(folder, ready, fork))
    process.start()
    pids = [ready.get(timeout=30) for _ in range(1 + fork)]
    return process, pids


def test_the_second_is_refused_by_name_until_the_first_ends(tmp_path, monkeypatch):
    first, _ = holder(tmp_path / 'run')
    refusal = rf'found one \(process {first.pid} on {socket.gethostname()}\); wait'
    with pytest.raises(ValueError, match=refusal), only_run(tmp_path / 'run'):
        pass
    with only_run(tmp_path / 'other'):
        pass
    cfg = Config(dict(work_dir=str(tmp_path / 'run')))
    with pytest.raises(ValueError, match=refusal):
        list(check_work_dir(Case(cfg, cfg)))
    for name in ('check_config', 'check_config_paths'):
        monkeypatch.setattr(training, name, lambda cfg: None)
    with pytest.raises(ValueError, match=refusal):
        training.train(cfg)
    first.kill()  # whatever an earlier test made of SIGTERM
    first.join(30)
    with only_run(tmp_path / 'run'):
        pass


def test_a_killed_run_leaves_nothing_behind_though_its_workers_live(tmp_path):
    first, (worker, _) = holder(tmp_path, fork=True)
    os.kill(first.pid, signal.SIGKILL)
    os.waitpid(first.pid, 0)  # join would wait for the worker, too
    try:
        os.kill(worker, 0)
        with only_run(tmp_path):
            assert str(os.getpid()) in (tmp_path / '.run.lock').read_text()
    finally:
        os.kill(worker, signal.SIGKILL)


def test_where_there_are_no_locks_a_run_goes_on(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(37, 'No locks available')

    monkeypatch.setattr('fcntl.lockf', refuse)
    with only_run(tmp_path):
        pass
