"""Runs what is missing: here, a few at a time, or as scripts for a cluster."""

import itertools
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from ...preflight.config.typed import as_option
from .logs import DONE, state
from .photographs import require_photographs
from .records import USAGE, trainings, write_record
from .reduced import reduced_config, write_reduced
from .runs import FULL, SIZES, Paths, Run, external_weights

ROOT = Path(__file__).parents[3]
Say = Callable[[str], None]


def all_runs(paths: Paths, seeds: Iterable[int] = range(10)) -> list[Run]:
    """Every run that a table or another run could ask for."""
    product = itertools.product(trainings(paths).values(), (FULL, *SIZES), seeds)
    return [run._replace(budget=budget, seed=seed) for run, budget, seed in product]


def possible(runs: Iterable[Run], paths: Paths, say: Callable[[str], None]) -> list[Run]:
    """The runs that there is a form of at this budget, and data; the others are said."""
    kept = []
    for run in runs:
        try:
            require_photographs(run)
            if run.budget != FULL:
                reduced_config(run, paths)
        except ValueError as error:
            say(f'left out: {error}')
            continue
        kept.append(run)
    return kept


def with_origins(runs: Iterable[Run], paths: Paths, is_done: Callable[[Run], bool]) -> list[Run]:
    """The runs that are not done and what they start from, each once, origins first.

    An origin is left out when its checkpoint is there, or when nothing that is missing needs it.
    """
    ordered: dict[Run, None] = {}

    def add(run: Run) -> None:
        if not is_done(run):
            for origin in run.origins(paths):
                add(origin)
            ordered[run] = None

    for run in runs:
        add(run)
    return list(ordered)


def missing(runs: Iterable[Run], paths: Paths) -> list[Run]:
    """What there is to run, in an order in which it can be run.

    A run with a record is done, wherever it ran; to start from it takes its checkpoint.
    """
    unrecorded = [run for run in runs if not record_path(run, paths).is_file()]
    return with_origins(unrecorded, paths, lambda run: state(run, paths) == DONE)


def record_path(run: Run, paths: Paths) -> Path:
    """Where the record of a run is kept."""
    return paths.results / run.budget / f'{run.name}_seed{run.seed}.json'


def command(run: Run, paths: Paths, gpus: int) -> list[str]:
    """The command that starts a run, or goes on with it."""
    if run.budget != FULL:
        config = str(run.work_dir(paths) / 'config.py')
        return [sys.executable, str(ROOT / 'tools/train.py'), config]
    options = [f'randomness.seed={run.seed}'] if run.seed else []
    part = 'model.teacher' if run.kind == 'pretrain' else 'model.backbone.init_cfg'
    options += [as_option(f'{part}.checkpoint', path) for path in run.checkpoints(paths)]
    script, config = ROOT / 'tools/dist_train.sh', paths.configs / f'{run.config}.py'
    return [
        *('bash', str(script), str(config), str(gpus), '--work-dir', str(run.work_dir(paths))),
        *(['--cfg-options', *options] if options else []),
    ]


def typed(run: Run, paths: Paths, gpus: int) -> str:
    """A run's command as one would type it where ``configs`` lies: with relative paths."""
    here = f'{paths.configs.absolute().parent}/'
    return shlex.join(word.replace(here, '') for word in command(run, paths, gpus))


def launch(run: Run, paths: Paths, gpus: int) -> int:
    """Run one command to its end; what it prints goes to ``printed.txt`` in its work directory.

    Returns:
        Its exit status.
    """
    work_dir = run.work_dir(paths)
    work_dir.mkdir(parents=True, exist_ok=True)
    env = dict(os.environ)
    if run.budget != FULL:
        write_reduced(run, paths)
        env['OMP_NUM_THREADS'] = '1'
    begin = time.time()
    with open(work_dir / 'printed.txt', 'a') as printed:
        process = subprocess.Popen(
            command(run, paths, gpus), stdout=printed, stderr=subprocess.STDOUT, env=env
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    usage = dict(seconds=time.time() - begin, cpu_seconds=used.ru_utime + used.ru_stime)
    with open(work_dir / USAGE, 'a') as file:
        file.write(json.dumps(usage) + '\n')
    return process.returncode


def run_missing(
    runs: Iterable[Run], paths: Paths, jobs: int, gpus: int, deadline: float, say: Say
) -> list[Run]:
    """Run what is missing, ``jobs`` at a time, and record what is done.

    Args:
        runs: What is wanted.
        paths: Where things lie.
        jobs: Runs at the same time.
        gpus: Processes of a full run.
        deadline: Time (of ``time.time()``) after which none is started.
        say: Called with a line at every start and end.

    Returns:
        The runs that failed or were not started.

    Raises:
        ValueError: If weights of another project are missing.
    """
    left = missing(runs, paths)
    require_weights(left, paths)
    for run in runs:
        if run not in left:
            write_record(run, record_path(run, paths), paths)
    total, failed = len(left), set()
    running: dict[Future, Run] = {}
    with ThreadPoolExecutor(jobs) as pool:
        while left or running:
            for run in startable(left, running.values(), failed, paths):
                if len(running) < jobs and time.time() < deadline:
                    left.remove(run)
                    running[pool.submit(launch, run, paths, gpus)] = run
                    say(f'start {run.name}, seed {run.seed}: {run.work_dir(paths)}')
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                finish(running.pop(future), future.result(), failed, paths, say)
            say(f'{total - len(left) - len(running)} of {total} ended')
    return [*failed, *left]


def startable(
    left: list[Run], running: Iterable[Run], failed: set[Run], paths: Paths
) -> Iterable[Run]:
    """Runs whose origins are there, as they come."""
    waiting = {*left, *running, *failed}
    return [run for run in left if not waiting.intersection(run.origins(paths))]


def finish(run: Run, status: int, failed: set[Run], paths: Paths, say: Say) -> None:
    """Record a run that ended, or say where to read why it did not."""
    if status or state(run, paths) != DONE:
        failed.add(run)
        printed = run.work_dir(paths) / 'printed.txt'
        say(f'{run.name}, seed {run.seed}, ended with status {status} before its end: {printed}')
        return
    scores = write_record(run, record_path(run, paths), paths)['scores']
    shown = ', '.join(f'{name} {value:.4g}' for name, value in scores.items())
    say(f'done {run.name}, seed {run.seed}: {shown}')


def require_weights(runs: Iterable[Run], paths: Paths) -> None:
    """Raise ``ValueError`` for weights of another project that are not there."""
    for run in runs:
        for path in external_weights(run, paths):
            if run.budget == FULL and not Path(path).is_file():
                raise ValueError(
                    f'Expected the weights that {run.name} starts from at {path}, found no file; '
                    'put them there, or leave the row out with --rows.'
                )
