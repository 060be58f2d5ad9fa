"""The values that runs logged: ``scalars.json`` of mmengine's local backend, a JSON object a line.

Training rows have the iteration as ``iter``; validation rows have no ``iter``, and as ``step`` the
epoch, or the iteration where training goes by iterations; other rows are what hooks added.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

Points = dict[str, list[tuple[float, float]]]
PLACES = ('iter', 'epoch', 'step')  # say where a row belongs; all else are values
PREFIXES = ('train/', 'val/')  # with log_processor.log_with_hierarchy


class Row(NamedTuple):
    """A logged line: ``kind`` is 'train', 'val' or 'other', ``done`` the last logged iteration
    up to there."""

    kind: str
    done: float
    values: dict[str, float]


class Scalars(NamedTuple):
    """Logged rows of one run in order, and how many lines could not be read."""

    rows: list[Row]
    damaged: int

    @property
    def training(self) -> list[Row]:
        """The rows of training steps."""
        return [row for row in self.rows if row.kind == 'train']


class Curves(NamedTuple):
    """What all runs logged, name -> [(x, value), ...].

    Training values over iterations, validation scores over epochs or iterations, what hooks added
    over their own steps; and how many values of each name are not finite and left out.
    """

    train: Points
    val: Points
    other: Points
    not_finite: Counter


def read_scalars(path: Path) -> Scalars:
    """A run's rows; lines that a killed run left half-written, or that are no rows, are counted."""
    rows, damaged, done = [], 0, 0.0
    if not path.is_file():
        return Scalars([], 0)
    with open(path, encoding='utf-8', errors='replace') as file:
        for line in file:
            values = _numbers(line) if line.strip() else {}
            if values is None:
                damaged += 1
            elif values:
                done = values.get('iter', done)
                rows.append(Row(_kind(values), done, values))
    return Scalars(rows, damaged)


def _numbers(line: str) -> dict[str, float] | None:
    """The numbers of a line, None if it is no row."""
    try:
        content = json.loads(line)
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    numbers = {
        key: float(value)
        for key, value in content.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return numbers if math.isfinite(numbers.get('step', math.nan)) else None


def _kind(values: dict[str, float]) -> str:
    if 'iter' in values:
        return 'train'
    timed = any(key.removeprefix('val/') == 'data_time' for key in values)
    return 'val' if timed else 'other'


def join(runs: Sequence[Scalars]) -> list[Row]:
    """The rows of runs that continued each other, oldest first, as one course of training.

    What an earlier run logged after the place where a later one began was given up: it is left
    out. A run without training, such as an evaluation, continues nothing and is left out as well.
    """
    joined: list[Row] = []
    for run in runs:
        if run.training:
            start = beginning(run)
            joined = [row for row in joined if row.done <= start] + run.rows
    return joined


def beginning(run: Scalars) -> float:
    """The iteration after which a run's training began: a logging interval before its first row."""
    first, *rest = (row.done for row in run.training)
    return max(0.0, 2 * first - rest[0]) if rest else first - 1


def curves(rows: Sequence[Row], val_interval: int | None) -> Curves:
    """Rows as a course of points per name, repeated places overridden by later rows.

    Args:
        rows: Logged rows of one course of training.
        val_interval: Iterations between validations where training goes by iterations, else None.
    """
    points = {kind: defaultdict(dict) for kind in ('train', 'val', 'other')}
    not_finite = Counter()
    for row in rows:
        place = _place(row, val_interval)
        for name, value in _values(row):
            if math.isfinite(value):
                points[row.kind][name][place] = value
            else:
                not_finite[name] += 1
    sort = {
        kind: {k: sorted(v.items()) for k, v in named.items()} for kind, named in points.items()
    }
    return Curves(sort['train'], sort['val'], sort['other'], not_finite)


def _values(row: Row) -> Iterator[tuple[str, float]]:
    for key, value in row.values.items():
        if key not in PLACES:
            for prefix in PREFIXES:
                key = key.removeprefix(prefix)
            yield key, value


def _place(row: Row, val_interval: int | None) -> float:
    """The x of a row. A validation of training by iterations has step 0 where the logger counts
    epochs, which do not exist: it took place at the next multiple of the interval."""
    if row.kind == 'train':
        return row.done
    if row.kind == 'val' and val_interval and not row.values['step']:
        return math.ceil(row.done / val_interval) * val_interval
    return row.values['step']
