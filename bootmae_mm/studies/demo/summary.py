"""What came of the demo: a table for the terminal, ``metrics.json`` and ``report.html``."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...pretrain.reconstruct import Reconstruction
from ...reports.html import Report
from ...reports.run.scalars import Points
from .stages import TASKS, Job, Outcome

HEADER = ('task', 'score', 'from scratch', 'pretrained', 'gain')
STARTS = ('scratch', 'pretrained')


def mean_and_std(values: Sequence[float]) -> str:
    """``mean ± standard deviation`` over the seeds."""
    return f'{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f} %'


def table(outcomes: Mapping[Job, Outcome]) -> list[tuple[str, ...]]:
    """A row per task and score: from scratch, pretrained, and the difference of their means."""
    rows = []
    for name, task in TASKS.items():
        for score in task.metrics:
            starts = [
                [out.scores[score] for job, out in outcomes.items() if job[:2] == (name, start)]
                for start in STARTS
            ]
            scratch, pretrained = map(statistics.mean, starts)
            gain = f'{pretrained - scratch:+.1f}'
            rows.append((name, score, *map(mean_and_std, starts), gain))
    return rows


def write_metrics(path: Path, outcomes: Mapping[Job, Outcome], seconds: Mapping[str, float]):
    """Every score and duration, as JSON."""
    runs = [dict(**job._asdict(), **outcome.scores) for job, outcome in outcomes.items()]
    path.write_text(json.dumps(dict(runs=runs, seconds=dict(seconds)), indent=2) + '\n')


def _predictions(page: Report, task: str, outcomes: Mapping[Job, Outcome], truth: list) -> None:
    """A row per picture: the truth, what was learned from scratch, what from pretraining."""
    shown = [outcomes[Job(task, start, 0)].pictures for start in STARTS]
    page.heading(f'Predictions: {task}')
    page.image_grid(
        list(zip(truth, *shown, strict=True)),
        ('truth', 'from scratch', 'pretrained'),
        'Validation pictures, first seed; a colour per class. Of a detection, the most certain '
        'instance.',
        scale=1,
    )


def write_report(
    path: Path,
    logged: Points,
    pictures: Reconstruction,
    outcomes: Mapping[Job, Outcome],
    truth: Sequence[np.ndarray],
    seconds: Mapping[str, float],
) -> None:
    """The page: results and predictions (if pictures with labels were evaluated), curves,
    reconstructions."""
    page = Report('BootMAE demo')
    if outcomes:
        page.paragraph(
            'A small BootMAE was pretrained on procedural pictures without labels. Then a linear '
            'probe, fine-tuning, UperNet and Mask R-CNN, each from scratch and from the pretrained '
            'encoder, with the same few labels, the same budget and three seeds.'
        )
        page.table(HEADER, table(outcomes), 'Mean and standard deviation over three seeds.')
        for task in ('segmentation', 'detection'):
            _predictions(page, task, outcomes, truth)
    page.heading('Reconstructions')
    page.image_grid(
        list(zip(*pictures, strict=True)),
        ('original', 'masked', 'reconstruction*', 'pasted*'),
        '* The model predicts normalised pixels. They are shown un-normalised with the mean and '
        'standard deviation of each true patch, which the model was not told and did not predict.',
    )
    page.heading('Pretraining')
    for title, keys in {
        'Losses': ('L_pixel', 'L_feature'),
        'Spread over the batch (0 is a collapse)': ('teacher_spread', 'feature_spread'),
    }.items():
        page.line_chart({key: logged[key] for key in keys}, title, 'step', '')
    page.heading('Time')
    page.table(
        ('stage', 'seconds'), [(name, f'{value:.0f}') for name, value in seconds.items()], ''
    )
    page.save(path)
