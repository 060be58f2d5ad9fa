"""The paper's tables beside our numbers."""

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .cells import HOURS, SECONDS, SPEED_UP, Metric, Score, Table
from .runs import CARD, FULL, PHOTOS, SIZES, Run

Records = Mapping[Run, dict]
# What stands above our numbers.
COLUMNS = {FULL: 'ours', CARD: 'photographs, GPU', PHOTOS: 'photographs'}


class Ours(NamedTuple):
    """Our value of a cell: one number per seed, and with which budget they were found."""

    values: tuple[float, ...]
    budget: str

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return statistics.mean(self.values)

    @property
    def std(self) -> float | None:
        """Standard deviation over the seeds; None for a single one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    def shown(self, digits: int) -> str:
        """Mean, spread where there is one, and over how many seeds."""
        text = f'{self.mean:.{digits}f}'
        if self.std is None:
            return text
        return f'{text} ± {self.std:.{digits}f} ({len(self.values)})'


def runs_of(records: Records, run: Run | None, budget: str) -> list[Run]:
    """The recorded runs that are like one but for budget and seed, by seed."""
    if run is None:
        return []
    return sorted(kept for kept in records if (kept.name, kept.budget) == (run.name, budget))


def ours(records: Records, score: Score, budget: str) -> Ours | None:
    """Our value of a cell."""
    if score.metric is SPEED_UP:
        values = speed_ups(records, score, budget)
    else:
        values = measured(records, score.run, score.metric, budget)
    return Ours(values, budget) if values else None


def measured(records: Records, run: Run | None, metric: Metric, budget: str) -> tuple[float, ...]:
    """What was measured in a run, for each seed that has it. Hours are the processor's below the
    full budget, where several runs share one."""
    hours = 'hours' if budget == FULL else 'cpu_hours'
    kept = (records[each] for each in runs_of(records, run, budget))
    values = (r[hours] if metric is HOURS else r['scores'].get(metric.title) for r in kept)
    return tuple(value for value in values if value is not None)


def speed_ups(records: Records, score: Score, budget: str) -> tuple[float, ...]:
    """How many times as fast as the mean of the other run's seeds each seed is."""
    base, own = (measured(records, run, SECONDS, budget) for run in (score.over, score.run))
    return tuple(statistics.mean(base) / seconds for seconds in own) if base else ()


HEADER = ('score', 'paper', *COLUMNS.values(), 'difference')


def rows_of(table: Table, records: Records) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows of a table, as text: a line per score. The difference is taken from full runs
    only."""
    return (*table.header, *HEADER), [
        (*row.cells, score.metric.title, *comparison(score, records))
        for row in table.rows
        for score in row.scores
    ]


def comparison(score: Score, records: Records) -> tuple[str, ...]:
    """Paper, in brackets where it quotes another, ours at every budget, difference."""
    found = {budget: ours(records, score, budget) for budget in COLUMNS}
    return (
        number(score.paper, score) if score.run else f'({number(score.paper, score)})',
        *(cell.shown(score.metric.digits) if cell else '–' for cell in found.values()),
        difference(found[FULL], score),
    )


def scores_of(
    table: Table, records: Records, budget: str
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows of a table at one budget, as text: a line per row and a column per score,
    both where there is a number of ours."""
    metrics = dict.fromkeys(s.metric for s in table.scores if ours(records, s, budget))
    rows = []
    for row in table.rows:
        cells = {score.metric: ours(records, score, budget) for score in row.scores}
        if any(cells.values()):
            shown = (cells[m].shown(m.digits) if cells.get(m) else '–' for m in metrics)
            rows.append((*row.cells, *shown))
    return (*table.header, *(metric.heading for metric in metrics)), rows


def number(value: float | None, score: Score) -> str:
    """A number of the paper."""
    return '–' if value is None else f'{value:.{score.metric.digits}f}'


def difference(found: Ours | None, score: Score) -> str:
    """From the paper's number to ours."""
    if found is None or score.paper is None:
        return '–'
    return f'{found.mean - score.paper:+.{score.metric.digits}f}'


class Agreement(NamedTuple):
    """Pairs of rows that the paper ranks: ranked alike here, the other way round, or closer
    together than twice the standard error of their difference."""

    alike: int
    reversed: int
    undecided: int


def agreement(table: Table, records: Records, budget: str) -> dict[str, Agreement]:
    """How far our ranking of the rows is the paper's, per score that at least two rows have."""
    scores: dict[str, list[tuple[float, Ours]]] = {}
    for score in table.scores:
        found = ours(records, score, budget)
        if found and score.paper is not None:
            scores.setdefault(score.metric.title, []).append((score.paper, found))
    return {name: count_pairs(values) for name, values in scores.items() if len(values) > 1}


def count_pairs(values: Sequence[tuple[float, Ours]]) -> Agreement:
    """Of the pairs that the paper ranks."""
    counts = [0, 0, 0]
    for k, (paper, found) in enumerate(values):
        for other_paper, other in values[:k]:
            if paper != other_paper:
                counts[ranked(paper - other_paper, found, other)] += 1
    return Agreement(*counts)


def ranked(paper: float, found: Ours, other: Ours) -> int:
    """0 for the paper's order, 1 for the reverse, 2 for too close to say."""
    difference = found.mean - other.mean
    if abs(difference) <= 2 * standard_error(found, other):
        return 2
    return int(difference * paper < 0)


def standard_error(first: Ours, second: Ours) -> float:
    """Of the difference of two means; infinite when one has a single seed."""
    if first.std is None or second.std is None:
        return float('inf')
    return sum(x.std**2 / len(x.values) for x in (first, second)) ** 0.5


PROVENANCE = ('run', 'seed', 'budget', 'device hours', 'device', 'versions', 'checkpoint', 'log')


def provenance(table: Table, records: Records) -> list[tuple[str, ...]]:
    """Where the numbers of a table come from: a line per run."""
    lines = []
    for wanted in table.runs:
        for budget in (FULL, *SIZES):
            for run in runs_of(records, wanted, budget):
                lines.append(describe(run, records[run]))
    return lines


def describe(run: Run, record: dict) -> tuple[str, ...]:
    """A run in a line."""
    versions = dict(record['versions'])
    device = versions.pop('device', '–')
    hours = f'{record["device_hours"]:.3g}'
    if record['cpu_hours'] is not None:
        hours += f' ({record["cpu_hours"]:.3g} of processor)'
    return (
        run.name, str(run.seed), run.budget, hours, device,
        ', '.join(f'{name} {value}' for name, value in versions.items()),
        record['checkpoint'] or '–', record['log'] or '–',
    )  # fmt: skip
