"""What a run wrote: how far it is, its scores, its time, and what it ran with.

mmengine writes a folder for every start of a run, named by the time, with ``<time>.log`` and
``vis_data/scalars.json`` in it, a line for every logged step. Everything here is read from those.
"""

import json
import re
import statistics
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from .cells import SECONDS, Metric
from .reduced import DEMO
from .runs import REDUCED, Home, Run, load

DONE, STOPPED, NOT_RUN = 'done', 'stopped', 'not run'
LOG_TIME = '%Y/%m/%d %H:%M:%S'
WARM_UP = 5  # logged steps left out of the time of an iteration: compiling, first reads


def scalars(work_dir: Path) -> list[dict]:
    """Every line that the run logged, in the order of its starts.

    A line that was cut off by the end of a process is left out: the next start repeats it.
    """
    lines = []
    for file in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in file.read_text().splitlines():
            try:
                lines.append(json.loads(line))
            except json.JSONDecodeError:
                continue
    return lines


def last_score(lines: list[dict], metric: Metric) -> float | None:
    """The score of the last evaluation, in the unit of the table."""
    values = [line[metric.key] for line in lines if metric.key in line]
    return metric.factor * values[-1] if values else None


def seconds_per_iteration(lines: list[dict]) -> float | None:
    """Median of the logged times of an iteration, less those at the start."""
    times = [line['time'] for line in lines if 'loss' in line and 'time' in line][WARM_UP:]
    return statistics.median(times) if times else None


def score(lines: list[dict], metric: Metric) -> float | None:
    """The value of a cell."""
    return seconds_per_iteration(lines) if metric is SECONDS else last_score(lines, metric)


def length(run: Run, home: Home) -> int:
    """The step of the last evaluation of a run: epochs, or iterations in segmentation."""
    name = f'demo/{DEMO[run.kind]}' if run.budget == REDUCED else run.config
    cfg = load(home.configs, name).train_cfg
    return cfg.get('max_iters') or cfg.max_epochs


def state(run: Run, home: Home) -> str:
    """Whether a run is done, was stopped (or goes on right now), or never began."""
    work_dir = run.work_dir(home)
    if run.kind == 'pretrain':
        done = run.checkpoint(home).is_file()
    else:
        evaluated = [line['step'] for line in scalars(work_dir) if is_evaluation(line)]
        done = bool(evaluated) and evaluated[-1] >= length(run, home)
    if done:
        return DONE
    return STOPPED if any(work_dir.glob('*/*.log')) else NOT_RUN


def is_evaluation(line: dict) -> bool:
    """Whether a logged line is that of a validation."""
    return 'loss' not in line and 'lr' not in line


class Session(NamedTuple):
    """One start of a run: seconds from its first to its last line, and its processes."""

    seconds: float
    processes: int


def sessions(work_dir: Path) -> list[Session]:
    """All starts of a run, from their logs."""
    found = []
    for log in sorted(work_dir.glob('*/*.log')):
        text = log.read_text(errors='replace')
        times = re.findall(r'^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) - ', text, re.MULTILINE)
        if not times:
            continue
        first, last = (datetime.strptime(times[k], LOG_TIME) for k in (0, -1))
        found.append(Session((last - first).total_seconds(), int(setting(text, 'GPU number') or 1)))
    return found


def setting(log: str, name: str) -> str | None:
    """A line of the block about system and runtime with which every log starts. GPUs that are alike
    share one ('GPU 0,1'), which goes by the first."""
    found = re.search(rf'^ *{re.escape(name)}(?:,\d+)*: (.+)$', log, re.MULTILINE)
    return found[1].strip() if found else None


def newest_log(work_dir: Path) -> Path | None:
    """The log of the last start."""
    return max(work_dir.glob('*/*.log'), default=None)


def versions(work_dir: Path) -> dict[str, str]:
    """What the last start ran with, as its log says."""
    log = newest_log(work_dir)
    text = log.read_text(errors='replace') if log else ''
    names = {'Python': 'Python', 'PyTorch': 'torch', 'OpenCV': 'opencv', 'MMEngine': 'mmengine'}
    found = {short: setting(text, name) for name, short in names.items()}
    found['device'] = setting(text, 'GPU 0') or 'CPU'
    return {
        name: value if name == 'device' else value.split(' ')[0]
        for name, value in found.items()
        if value
    }
