"""The stages of the demo: the commands of the README, each in a process of its own.

The stages say how far they are through a callback ``say(text)``.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from ...commands.tools import environment, tool
from ...commands.training import scores as last_scores

Say = Callable[[str], None]
PRETRAINING_EPOCHS = 3


class Task(NamedTuple):
    """What is learned from labels.

    Attributes:
        command: Of ``python -m bootmae_mm``.
        data: The folder in ``data``.
        epochs: Passes over its 800 pictures.
        metrics: Names to show, and mmengine's names and the factors that make percentages of them.
    """

    command: str
    data: str
    epochs: int
    metrics: dict[str, tuple[str, float]]


TASKS = {
    'classification': Task('finetune', 'shapes_labelled', 8, {'top-1': ('accuracy/top1', 1)}),
    'segmentation': Task('segment', 'shapes_dense/ade', 5, {'mIoU': ('mIoU', 1)}),
    'detection': Task(
        'detect',
        'shapes_dense/coco',
        12,
        {'box AP': ('coco/bbox_mAP', 100), 'mask AP': ('coco/segm_mAP', 100)},
    ),
}
# Those that learn something in a minute; the full demo has all, with three seeds.
SHORT, SEEDS = ('classification', 'segmentation'), 3
STARTS = ('scratch', 'pretrained')


class Job(NamedTuple):
    """One training with labels: ``task`` is a key of TASKS, ``start`` one of STARTS."""

    task: str
    start: str
    seed: int

    def folder(self, work_dir: Path) -> Path:
        """Of its run."""
        ending = f'_seed{self.seed}' if self.seed else ''
        return work_dir / f'{TASKS[self.task].command}_{self.start}{ending}'

    def command(self, data: Path, work_dir: Path) -> list[str]:
        """What trains it: the user's command; for other seeds than the first, the config that this
        command wrote."""
        task, out = TASKS[self.task], self.folder(work_dir)
        if self.seed:
            config = self._replace(seed=0).folder(work_dir) / 'config.py'
            seed = f'randomness.seed={self.seed}'
            return tool('train', config, '--work-dir', out, '--cfg-options', seed)
        scratch = ['--scratch'] if self.start == 'scratch' else []
        return command(
            task.command, data / task.data, '--from', work_dir / 'pretrain', *scratch,
            '--epochs', task.epochs, '--out', out,
        )  # fmt: skip


def command(*words: object) -> list[str]:
    """``python -m bootmae_mm …``."""
    return [sys.executable, '-m', 'bootmae_mm', *map(str, words)]


def pretrain(data: Path, work_dir: Path, say: Say) -> None:
    """Pretrain on the pictures, with all that the machine has; the encoder is as small on a GPU.

    Raises:
        RuntimeError: If the command fails.
    """
    out = work_dir / 'pretrain'
    words = command(
        'pretrain', data / 'shapes/train', '--arch', 'mini', '--epochs', PRETRAINING_EPOCHS,
        '--out', out,
    )  # fmt: skip
    say(f'$ {typed(words)}')
    process = subprocess.Popen(
        words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    for line in process.stdout:
        say(f'  {line.rstrip()}')
    if process.wait():
        raise RuntimeError(f'Pretraining ended with status {process.returncode}, see above.')


def typed(words: list[str]) -> str:
    """A command as a user types it."""
    return shlex.join(['python', *words[1:]])


def transfer(jobs: list[Job], data: Path, work_dir: Path, say: Say) -> Iterator:
    """Run jobs, one on each core; yields ``(job, scores)`` in % as they finish.

    Raises:
        RuntimeError: If one of them fails.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else [None]
    free: SimpleQueue = SimpleQueue()
    for core in cores:
        free.put(core)

    def run(job: Job) -> dict[str, float]:
        core = free.get()
        try:
            return run_job(job, data, work_dir, core, say)
        finally:
            free.put(core)

    with ThreadPoolExecutor(len(cores)) as pool:
        running = {pool.submit(run, job): job for job in jobs}
        for done in as_completed(running):
            yield running[done], done.result()


def run_job(job: Job, data: Path, work_dir: Path, core: int | None, say: Say) -> dict[str, float]:
    """Train one model on one core; what it prints goes to ``<run>.txt``."""
    words, out = job.command(data, work_dir), job.folder(work_dir)
    say(f'  $ {typed(words)}')
    bind = None if core is None else lambda: os.sched_setaffinity(0, {core})
    printed = out.with_suffix('.txt')
    printed.parent.mkdir(parents=True, exist_ok=True)
    with printed.open('w') as file:
        env = {**environment(), 'OMP_NUM_THREADS': '1'}
        status = subprocess.call(
            words, env=env, stdout=file, stderr=subprocess.STDOUT, preexec_fn=bind
        )
    if status:
        raise RuntimeError(f'{job.task} ended with status {status}, see {printed}.')
    found = last_scores(out)
    return {name: by * found[key] for name, (key, by) in TASKS[job.task].metrics.items()}
