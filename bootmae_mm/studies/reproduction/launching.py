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

from .logs import DONE, state
from .records import trainings, write_record
from .reduced import reduced_config, write_reduced
from .runs import FULL, REDUCED, Home, Run, external_weights

ROOT = Path(__file__).parents[3]
USAGE = 'usage.jsonl'
Say = Callable[[str], None]


def all_runs(home: Home, seeds: Iterable[int] = range(10)) -> list[Run]:
    """Every run that a table or another run could ask for."""
    product = itertools.product(trainings(home).values(), (FULL, REDUCED), seeds)
    return [run._replace(budget=budget, seed=seed) for run, budget, seed in product]


def possible(runs: Iterable[Run], home: Home, say: Callable[[str], None]) -> list[Run]:
    """The runs that there is a form of at this budget; the others are said."""
    kept = []
    for run in runs:
        try:
            if run.budget == REDUCED:
                reduced_config(run, home)
        except ValueError as error:
            say(f'left out: {error}')
            continue
        kept.append(run)
    return kept


def with_origins(runs: Iterable[Run], home: Home, is_done: Callable[[Run], bool]) -> list[Run]:
    """The runs that are not done and what they start from, each once, origins first.

    An origin is left out when its checkpoint is there, or when nothing that is missing needs it.
    """
    ordered: dict[Run, None] = {}

    def add(run: Run) -> None:
        if not is_done(run):
            for origin in run.origins(home):
                add(origin)
            ordered[run] = None

    for run in runs:
        add(run)
    return list(ordered)


def missing(runs: Iterable[Run], home: Home) -> list[Run]:
    """What there is to run, in an order in which it can be run.

    A run with a record is done, wherever it ran; to start from it takes its checkpoint.
    """
    unrecorded = [run for run in runs if not record_path(run, home).is_file()]
    return with_origins(unrecorded, home, lambda run: state(run, home) == DONE)


def record_path(run: Run, home: Home) -> Path:
    """Where the record of a run is kept."""
    return home.results / run.budget / f'{run.name}_seed{run.seed}.json'


def command(run: Run, home: Home, gpus: int) -> list[str]:
    """The command that starts a run, or goes on with it."""
    if run.budget == REDUCED:
        config = str(run.work_dir(home) / 'config.py')
        return [sys.executable, str(ROOT / 'tools/train.py'), config]
    options = [f'randomness.seed={run.seed}'] if run.seed else []
    part = 'model.teacher' if run.kind == 'pretrain' else 'model.backbone.init_cfg'
    options += [f'{part}.checkpoint={path}' for path in run.checkpoints(home)]
    script, config = ROOT / 'tools/dist_train.sh', home.configs / f'{run.config}.py'
    return [
        *('bash', str(script), str(config), str(gpus), '--work-dir', str(run.work_dir(home))),
        *(['--cfg-options', *options] if options else []),
    ]


def typed(run: Run, home: Home, gpus: int) -> str:
    """A run's command as one would type it where ``configs`` lies: with relative paths."""
    here = f'{home.configs.absolute().parent}/'
    return shlex.join(word.replace(here, '') for word in command(run, home, gpus))


def launch(run: Run, home: Home, gpus: int) -> int:
    """Run one command to its end; what it prints goes to ``printed.txt`` in its work directory.

    Returns:
        Its exit status.
    """
    work_dir = run.work_dir(home)
    work_dir.mkdir(parents=True, exist_ok=True)
    env = dict(os.environ)
    if run.budget == REDUCED:
        write_reduced(run, home)
        env['OMP_NUM_THREADS'] = '1'
    begin = time.time()
    with open(work_dir / 'printed.txt', 'a') as printed:
        process = subprocess.Popen(
            command(run, home, gpus), stdout=printed, stderr=subprocess.STDOUT, env=env
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    usage = dict(seconds=time.time() - begin, cpu_seconds=used.ru_utime + used.ru_stime)
    with open(work_dir / USAGE, 'a') as file:
        file.write(json.dumps(usage) + '\n')
    return process.returncode


def run_missing(
    runs: Iterable[Run], home: Home, jobs: int, gpus: int, deadline: float, say: Say
) -> list[Run]:
    """Run what is missing, ``jobs`` at a time, and record what is done.

    Args:
        runs: What is wanted.
        home: Where things lie.
        jobs: Runs at the same time.
        gpus: Processes of a full run.
        deadline: Time (of ``time.time()``) after which none is started.
        say: Told of every start and end.

    Returns:
        The runs that failed or were not started.

    Raises:
        ValueError: If weights of another project are missing.
    """
    left = missing(runs, home)
    require_weights(left, home)
    for run in runs:
        if run not in left:
            write_record(run, record_path(run, home), home)
    total, failed = len(left), set()
    running: dict[Future, Run] = {}
    with ThreadPoolExecutor(jobs) as pool:
        while left or running:
            for run in startable(left, running.values(), failed, home):
                if len(running) < jobs and time.time() < deadline:
                    left.remove(run)
                    running[pool.submit(launch, run, home, gpus)] = run
                    say(f'start {run.name}, seed {run.seed}: {run.work_dir(home)}')
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                finish(running.pop(future), future.result(), failed, home, say)
            say(f'{total - len(left) - len(running)} of {total} ended')
    return [*failed, *left]


def startable(
    left: list[Run], running: Iterable[Run], failed: set[Run], home: Home
) -> Iterable[Run]:
    """Runs whose origins are there, as they come."""
    waiting = {*left, *running, *failed}
    return [run for run in left if not waiting.intersection(run.origins(home))]


def finish(run: Run, status: int, failed: set[Run], home: Home, say: Say) -> None:
    """Record a run that ended, or say where to read why it did not."""
    if status or state(run, home) != DONE:
        failed.add(run)
        printed = run.work_dir(home) / 'printed.txt'
        say(f'{run.name}, seed {run.seed}, ended with status {status} before its end: {printed}')
        return
    scores = write_record(run, record_path(run, home), home)['scores']
    shown = ', '.join(f'{name} {value:.4g}' for name, value in scores.items())
    say(f'done {run.name}, seed {run.seed}: {shown}')


def require_weights(runs: Iterable[Run], home: Home) -> None:
    """Raise ``ValueError`` for weights of another project that are not there."""
    for run in runs:
        for path in external_weights(run, home):
            if run.budget == FULL and not Path(path).is_file():
                raise ValueError(
                    f'Expected the weights that {run.name} starts from at {path}, found no file; '
                    'put them there, or leave the row out with --rows.'
                )
