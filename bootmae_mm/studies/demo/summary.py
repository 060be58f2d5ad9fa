"""What came of the demo: a table for the terminal, ``metrics.json`` and ``report.html``."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...data.synthetic.data_sets import DENSE_CLASSES, LABELS_PER_CLASS, NUM_TRAIN
from ...reports.html import Report
from ...visualization.outlines import class_colours
from ...visualization.painting import Figure
from .predictions import Shown
from .stages import STARTS, TASKS, Job

Outcomes = Mapping[Job, Mapping[str, float]]
HEADER = ('task', 'score', 'from scratch', 'pretrained', 'gain')
CURVES = {
    'Losses': ('L_pixel', 'L_feature'),
    'Spread over the batch (0 is a collapse)': ('teacher_spread', 'feature_spread'),
}


def values(outcomes: Outcomes, task: str, start: str, score: str) -> list[float]:
    """One score of all seeds."""
    return [found[score] for job, found in outcomes.items() if job[:2] == (task, start)]


def mean_and_std(numbers: Sequence[float]) -> str:
    """``mean ± standard deviation`` over the seeds; of one seed, its number."""
    spread = f' ± {statistics.stdev(numbers):.1f}' if len(numbers) > 1 else ''
    return f'{statistics.mean(numbers):.1f}{spread} %'


def table(outcomes: Outcomes) -> list[tuple[str, ...]]:
    """A row per task and score: from scratch, pretrained, and the difference of their means."""
    rows = []
    for name in dict.fromkeys(job.task for job in outcomes):
        for score in TASKS[name].metrics:
            scratch, pretrained = (values(outcomes, name, start, score) for start in STARTS)
            gain = f'{statistics.mean(pretrained) - statistics.mean(scratch):+.1f}'
            rows.append((name, score, *map(mean_and_std, (scratch, pretrained)), gain))
    return rows


def sentence(outcomes: Outcomes) -> str:
    """What was learned, for someone who reads no more."""
    (top1, iou) = (
        [statistics.mean(values(outcomes, task, start, score)) for start in STARTS]
        for task, score in (('classification', 'top-1'), ('segmentation', 'mIoU'))
    )
    return (
        f'Pretrained on {NUM_TRAIN:,} pictures without labels, the encoder names '
        f'{top1[1]:.0f} % of shapes right after {LABELS_PER_CLASS} labelled pictures of each, '
        f'where the same encoder from scratch names {top1[0]:.0f} %, and its outlines of shapes '
        f'overlap the true ones by {iou[1]:.0f} %, not {iou[0]:.0f} %.'
    )


def write_metrics(path: Path, outcomes: Outcomes, seconds: Mapping[str, float]) -> None:
    """Every score and duration, as JSON."""
    runs = [{**job._asdict(), **scores} for job, scores in outcomes.items()]
    path.write_text(json.dumps(dict(runs=runs, seconds=dict(seconds)), indent=2) + '\n')


def write_report(
    path: Path, outcomes: Outcomes, shown: Shown, seconds: Mapping[str, float]
) -> None:
    """The page: the sentence, predictions, the table, reconstructions, curves, times."""
    page = Report('What pretraining is worth')
    page.paragraph(sentence(outcomes))
    add_predictions(page, shown.predictions['segmentation'])
    seeds = len({job.seed for job in outcomes})
    spread = f'Mean and standard deviation over {seeds} seeds.' if seeds > 1 else 'One seed.'
    page.table(HEADER, table(outcomes), f'The same labels and the same budget. {spread}')
    if 'detection' in shown.predictions:
        add_predictions(page, shown.predictions['detection'])
    page.heading('Pretraining: three quarters of a picture are hidden and predicted')
    figure = shown.reconstructions
    page.image_grid(figure.rows, figure.labels, figure.caption, scale=2)
    for title, keys in CURVES.items():
        page.line_chart({key: shown.curves[key] for key in keys}, title, 'step', '')
    page.heading('Time')
    page.table(('stage', 'seconds'), [(name, f'{s:.0f}') for name, s in seconds.items()], '')
    page.save(path)


def add_predictions(page: Report, figure: Figure) -> None:
    """Outlined pictures with their legend."""
    page.heading(figure.title)
    page.image_grid(figure.rows, figure.labels, figure.caption, scale=1)
    colours = class_colours(dict(classes=DENSE_CLASSES))
    page.colours(dict(zip(DENSE_CLASSES, colours, strict=True)))
