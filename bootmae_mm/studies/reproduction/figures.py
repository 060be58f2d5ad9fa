"""What the pages show as pictures: scores over the length of pretraining."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from .cells import HOURS, LINEAR, MIOU, NEIGHBOURS, TOP1, Metric, Row, Table
from .runs import Paths
from .tables import Records, measured

COLOURS = ('#2f7fd8', '#8a4fbf', '#d9601e', '#b58900', '#1f9a6d')
HOURS_SHOWN = [digit * 10.0**power for power in range(-3, 4) for digit in (1, 2, 3, 5)]
TITLES = {
    TOP1: 'fine-tuned, 10 % of labels, %', LINEAR: 'linear, all labels, %',
    NEIGHBOURS: 'neighbours, %', MIOU: 'mIoU',
}  # fmt: skip


def draw_length(table: Table, records: Records, budget: str, paths: Paths, file: Path) -> None:
    """Scores over the hours of pretraining, a line per model, a panel per score.

    Args:
        table: Rows of a model and its epochs.
        records: What was measured.
        budget: The one shown.
        paths: Where configs lie.
        file: The picture to write.
    """
    figure = Figure(figsize=(2.9 * len(TITLES), 3), layout='constrained')
    for panel, metric in zip(figure.subplots(1, len(TITLES)), TITLES, strict=True):
        for index, (model, rows) in enumerate(by_model(table).items()):
            found = (point(row, metric, records, budget, paths) for row in rows)
            points = sorted(filter(None, found))
            if points:
                hours, means, spreads = zip(*points, strict=True)
                panel.errorbar(
                    hours, means, spreads, marker='o', capsize=3, label=model, color=COLOURS[index]
                )
        panel.set(title=TITLES[metric], xlabel='hours of pretraining')
        panel.set_xscale('log')
        panel.xaxis.set_major_locator(FixedLocator(HOURS_SHOWN))
        panel.xaxis.set_minor_locator(NullLocator())
        panel.xaxis.set_major_formatter('{x:g}')
        panel.grid(alpha=0.3)
    drawn = [panel.get_legend_handles_labels() for panel in figure.axes]
    lines = {name: line for found in drawn for line, name in zip(*found, strict=True)}
    figure.legend(lines.values(), lines.keys(), loc='outside lower center', ncols=4, frameon=False)
    figure.savefig(file, dpi=150)


def by_model(table: Table) -> dict[str, Sequence[Row]]:
    """The rows of every model."""
    models = dict.fromkeys(row.cells[0] for row in table.rows)
    return {model: [row for row in table.rows if row.cells[0] == model] for model in models}


def point(
    row: Row, metric: Metric, records: Records, budget: str, paths: Paths
) -> tuple[float, float, float] | None:
    """Hours of pretraining, mean and standard deviation of a score; None without a record."""
    [run] = {score.run for score in row.scores if score.metric is metric}
    values = measured(records, run, metric, budget)
    [origin] = run.origins(paths)
    hours = measured(records, origin, HOURS, budget)
    if not (values and hours):
        return None
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return statistics.mean(hours), statistics.mean(values), spread
