"""A run that is killed again and again, at random moments and inside the writing of checkpoints."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
from mmengine.hooks import Hook

from bootmae_mm.checkpoint.reading import read_checkpoint
from bootmae_mm.engine.build import build_runner
from bootmae_mm.engine.resume import files
from bootmae_mm.training import resume_if_possible
from tests.helpers.images import write_images
from tests.helpers.resuming import assert_identical
from tests.helpers.runs import run_config

EPOCHS, STEPS = 24, 3  # 72 optimiser steps, each of two batches
CONTEXT = multiprocessing.get_context('forkserver')  # imports once, without threads
MOMENTS = ('half written', 'written', 'in place', 'beside the old one', 'half written')


class Steps(Hook):
    """Tells the parent how many batches were trained in this process."""

    priority = 'VERY_HIGH'

    def __init__(self, counter) -> None:
        self.counter = counter

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.counter.value += 1


def wait_to_be_killed(here) -> None:
    here.set()
    time.sleep(600)


def stop_inside_a_write(moment: str, number: int, here) -> None:
    """Have this process wait to be killed at a moment of its n-th write of a checkpoint."""
    writes = 0
    flush, replace, newest_first = files._flush, os.replace, files.newest_first

    def flush_and_wait(path: Path) -> None:
        nonlocal writes
        writes += path.suffix == '.writing'
        if writes == number and path.suffix == '.writing' and moment == 'half written':
            os.truncate(path, path.stat().st_size // 2)
            wait_to_be_killed(here)
        flush(path)
        if writes == number and path.suffix == '.writing' and moment == 'written':
            wait_to_be_killed(here)

    def replace_and_wait(source, target) -> None:
        replace(source, target)
        if writes == number and moment == 'in place':
            wait_to_be_killed(here)

    def wait_before_tidying_up(folder):
        if writes == number and moment == 'beside the old one':
            wait_to_be_killed(here)
        return newest_first(folder)

    files._flush, files.os.replace = flush_and_wait, replace_and_wait
    files.newest_first = wait_before_tidying_up


def run(folder: Path, name: str, counter, moment: str = '', number: int = 0, here=None) -> None:
    """Train, or go on, in a process of its own."""
    if moment:
        stop_inside_a_write(moment, number, here)
    cfg = run_config(folder / 'images', folder / name, total=8, batch=4, epochs=EPOCHS)
    cfg.model.backbone.drop_path_rate = 0.2
    cfg.train_dataloader.update(num_workers=2, persistent_workers=True)
    cfg.default_hooks.checkpoint.update(interval=4, by_epoch=False, max_keep_ckpts=2)
    resume_if_possible(cfg)
    runner = build_runner(cfg)
    runner.register_hook(Steps(counter))
    runner.train()


def finish(folder: Path, name: str) -> None:
    """Train to the end."""
    counter = CONTEXT.Value('i', 0)
    process = CONTEXT.Process(target=run, args=(folder, name, counter))
    process.start()
    process.join()
    assert process.exitcode == 0


def killed(folder: Path, rng: random.Random, moment: str) -> bool:
    """Start the run and kill it; whether it was before its end."""
    counter, here = CONTEXT.Value('i', 0), CONTEXT.Event()
    args = (folder, 'killed', counter, moment, rng.randint(1, 2), here)
    process = CONTEXT.Process(target=run, args=args)
    process.start()
    batches = rng.randint(1, 12)
    while process.is_alive() and not here.is_set() and (moment or counter.value < batches):
        time.sleep(0.001)
    if not moment:
        time.sleep(rng.random() * 0.05)
    alive = process.is_alive()
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    return alive


@pytest.mark.long
def test_a_run_killed_at_20_moments_ends_bit_for_bit_the_same(tmp_path):
    """Six of them inside the writing of a checkpoint, the others at random moments of a step."""
    write_images(tmp_path / 'images', 26)
    CONTEXT.set_forkserver_preload(['bootmae_mm.registration', 'tests.engine.resume.test_kill'])
    finish(tmp_path, 'whole')

    rng = random.Random(0)
    moments = [*MOMENTS, 'written', *[''] * 14]
    rng.shuffle(moments)
    assert all(killed(tmp_path, rng, moment) for moment in moments), 'each before the end'

    finish(tmp_path, 'killed')
    name = f'iter_{2 * EPOCHS * STEPS}.pth'
    expected, found = (read_checkpoint(tmp_path / part / name) for part in ('whole', 'killed'))
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_identical(expected[part], found[part], part)
    assert list((tmp_path / 'killed').glob('.*.writing')) == []
