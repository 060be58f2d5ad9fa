"""What lies in a work_dir of mmengine's runner: its runs, config, checkpoints and test results."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from ...engine.run_files import POINTER, last_checkpoint, numbered
from .log import Log, read_log
from .scalars import Row, Scalars, join, read_scalars
from .settings import read_settings

STAMP = '%Y%m%d_%H%M%S'


class Run(NamedTuple):
    """One start of training or testing: a folder named after the time.

    Attributes:
        folder: The folder.
        scalars: What it logged as values.
        log: What it logged as text.
        start: When it began.
        end: When it last logged something.
        scores: What a test of a checkpoint gave, by name.
    """

    folder: Path
    scalars: Scalars
    log: Log
    start: datetime
    end: datetime
    scores: dict[str, float]


class Checkpoint(NamedTuple):
    """A weights file of the folder."""

    name: str
    mebibytes: float
    written: datetime


@dataclass(frozen=True)
class WorkDir:
    """A work_dir; runs oldest first.

    Attributes:
        path: The folder.
        runs: Its runs.
        config: Text of the config of the newest run; empty if there is none.
    """

    path: Path
    runs: list[Run]
    config: str

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The config's values."""
        return read_settings(self.config)

    @cached_property
    def name(self) -> str:
        """Of the config, whose copy mmengine puts here; else that of the folder."""
        copies = sorted(self.path.glob('*.py'), key=lambda path: path.stat().st_mtime)
        return copies[-1].stem if copies else self.path.resolve().name

    @cached_property
    def trainings(self) -> list[Run]:
        """The runs that trained: logged a step, or were stopped before the first one to log."""
        return [run for run in self.runs if run.scalars.training or run.log.stop]

    @cached_property
    def rows(self) -> list[Row]:
        """What all runs logged, as one course of training."""
        return join([run.scalars for run in self.runs])

    @cached_property
    def checkpoints(self) -> list[Checkpoint]:
        """The checkpoints, newest first."""
        paths = [path for path in self.path.glob('*.pth') if path.is_file()]
        found = []
        for path in paths:
            about = path.stat()
            written = datetime.fromtimestamp(about.st_mtime)
            found.append(Checkpoint(path.name, about.st_size / 2**20, written))
        return sorted(found, key=lambda checkpoint: checkpoint.written, reverse=True)

    def saved(self, unit: str) -> int:
        """The newest training run's last checkpoint by 'epoch' or 'iter', 0 if there is none."""
        if not self.trainings:
            return 0
        newest = self.trainings[-1]
        logged = newest.log.saved.get({'epoch': 'epoch', 'iter': 'iteration'}[unit], 0)
        last = last_checkpoint(self.path)
        if last is None or (self.path / POINTER).stat().st_mtime < newest.start.timestamp():
            return logged
        kind, number = numbered(last.name) or ('', 0)
        return max(logged, number) if kind == unit else logged


def read_work_dir(path: str | Path) -> WorkDir:
    """Read all that is needed of a folder.

    Raises:
        ValueError: If there is no such folder, or no run in it.
    """
    path = Path(path)
    if not path.is_dir():
        raise ValueError(
            f'Expected the work_dir of a training run, found no folder {str(path)!r}; give the '
            'folder that training was told by --work-dir.'
        )
    if (path / 'vis_data').is_dir():
        raise ValueError(
            f'Expected the work_dir of a training run, found one of its runs, {str(path)!r}; give '
            f'the folder above it, {str(path.resolve().parent)!r}.'
        )
    runs = [read_run(folder) for folder in sorted(path.iterdir()) if is_run(folder)]
    if not runs:
        raise ValueError(
            f'Expected the work_dir of a run in {str(path)!r}, found no folder named after '
            'a time (20260131_120000) with a log or vis_data; give the folder that training was '
            'told by --work-dir.'
        )
    return WorkDir(path, sorted(runs, key=lambda run: run.start), _config(path, runs))


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run."""
    if not folder.is_dir() or not re.fullmatch(r'\d{8}_\d{6}', folder.name):
        return False
    return (folder / 'vis_data').is_dir() or any(folder.glob('*.log'))


def read_run(folder: Path) -> Run:
    """What a run left in its folder."""
    logged = folder / 'vis_data/scalars.json'
    scalars, log = read_scalars(logged), read_log(folder / f'{folder.name}.log')
    start = end = datetime.strptime(folder.name, STAMP)
    if log.last_time:
        end = log.last_time
    elif logged.is_file():
        end = datetime.fromtimestamp(logged.stat().st_mtime)
    return Run(folder, scalars, log, start, max(start, end), _scores(folder))


def _scores(folder: Path) -> dict[str, float]:
    """What mmengine's logger wrote at the end of a test."""
    try:
        content = json.loads((folder / f'{folder.name}.json').read_text(encoding='utf-8'))
    except (OSError, ValueError):  # not tested, or not written to its end
        return {}
    if not isinstance(content, dict):
        return {}
    untold = ('time', 'data_time')
    return {k: v for k, v in content.items() if isinstance(v, int | float) and k not in untold}


def _config(path: Path, runs: list[Run]) -> str:
    dumped = [run.folder / 'vis_data/config.py' for run in reversed(runs)]
    copies = sorted(path.glob('*.py'), key=lambda copy: copy.stat().st_mtime, reverse=True)
    for file in [*dumped, *copies]:
        if file.is_file():
            return file.read_text(encoding='utf-8', errors='replace')
    return ''
