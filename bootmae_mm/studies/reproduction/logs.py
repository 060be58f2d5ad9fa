"""What a run wrote: how far it is, its scores, its time, and what it ran with.

mmengine writes a folder for every start of a run, named by the time, with ``<time>.log`` and
``vis_data/scalars.json`` in it, a line for every logged step. Everything here is read from those.
"""

import re
import statistics
from pathlib import Path
from typing import NamedTuple

from ...reports.run.log import read_log
from ...reports.run.scalars import Row, read_scalars
from .cells import SECONDS, Metric
from .runs import FULL, Paths, Run, load

DONE, STOPPED, NOT_RUN = 'done', 'stopped', 'not run'
WARM_UP = 5  # logged steps left out of the time of an iteration: compiling, first reads


def rows(work_dir: Path) -> list[Row]:
    """Everything that the run logged, in the order of its starts."""
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    return [row for file in files for row in read_scalars(file).rows]


def last_score(rows: list[Row], metric: Metric) -> float | None:
    """The score of the last evaluation, in the unit of the table."""
    values = [row.values[key] for row in rows for key in metric.keys if key in row.values]
    return metric.factor * values[-1] if values else None


def seconds_per_iteration(rows: list[Row]) -> float | None:
    """Median of the logged times of an iteration, less those at the start."""
    steps = [row.values for row in rows if row.kind == 'train']
    times = [values['time'] for values in steps if 'time' in values][WARM_UP:]
    return statistics.median(times) if times else None


def score(rows: list[Row], metric: Metric) -> float | None:
    """The value of a cell."""
    return seconds_per_iteration(rows) if metric is SECONDS else last_score(rows, metric)


def length(run: Run, paths: Paths) -> int:
    """The step of the last evaluation of a run: epochs, or iterations in segmentation."""
    name = run.config if run.budget == FULL else run.template
    cfg = load(paths.configs, name).train_cfg
    return cfg.get('max_iters') or cfg.max_epochs


def state(run: Run, paths: Paths) -> str:
    """Whether a run is done, was stopped (or goes on right now), or never began."""
    work_dir = run.work_dir(paths)
    if run.kind == 'pretrain':
        done = run.checkpoint(paths).is_file()
    else:
        evaluated = [row.values['step'] for row in rows(work_dir) if row.kind == 'val']
        done = bool(evaluated) and evaluated[-1] >= length(run, paths)
    if done:
        return DONE
    return STOPPED if any(work_dir.glob('*/*.log')) else NOT_RUN


class Session(NamedTuple):
    """One start of a run: seconds from its first to its last line, and its processes."""

    seconds: float
    processes: int


def sessions(work_dir: Path) -> list[Session]:
    """All starts of a run, from their logs."""
    logs = (read_log(path) for path in sorted(work_dir.glob('*/*.log')))
    return [
        Session(
            (log.last_time - log.first_time).total_seconds(),
            int(log.environment.get('GPU number', 1)),
        )
        for log in logs
        if log.first_time
    ]


def newest_log(work_dir: Path) -> Path | None:
    """The log of the last start."""
    return max(work_dir.glob('*/*.log'), default=None)


def versions(work_dir: Path) -> dict[str, str]:
    """What the last start ran with, as its log says."""
    path = newest_log(work_dir)
    environment = read_log(path).environment if path else {}
    names = {'Python': 'Python', 'PyTorch': 'torch', 'OpenCV': 'opencv', 'MMEngine': 'mmengine'}
    found = {names[name]: environment[name].split(' ')[0] for name in names if name in environment}
    return found | {'device': device(environment)}


def device(environment: dict[str, str]) -> str:
    """What a run ran on. GPUs that are alike share a line ('GPU 0,1'), which goes by the first."""
    names = (value for name, value in environment.items() if re.fullmatch(r'GPU 0(,\d+)*', name))
    return next(names, 'CPU')
