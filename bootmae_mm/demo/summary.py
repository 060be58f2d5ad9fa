"""What came of the demo: a table for the terminal, ``metrics.json`` and ``report.html``."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..pretrain.reconstruct import Reconstruction
from ..report import Report
from .stages import Job

TASKS = {'linear': 'linear probe', 'finetune': 'fine-tuning'}
HEADER = ('top-1 accuracy', 'from scratch', 'pretrained', 'gain')


def mean_and_spread(values: Sequence[float]) -> str:
    """``mean ± standard deviation`` over the seeds."""
    return f'{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f} %'


def table(accuracies: Mapping[Job, float]) -> list[tuple[str, ...]]:
    """A row per task: from scratch, pretrained, and the difference of their means."""
    rows = []
    for task, name in TASKS.items():
        starts = {
            start: [value for job, value in accuracies.items() if job[:2] == (task, start)]
            for start in ('scratch', 'pretrained')
        }
        gain = statistics.mean(starts['pretrained']) - statistics.mean(starts['scratch'])
        rows.append((name, *map(mean_and_spread, starts.values()), f'{gain:+.1f}'))
    return rows


def as_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned by spaces."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    return '\n'.join(
        '  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in (header, *rows)
    )


def write_metrics(path: Path, accuracies: Mapping[Job, float], seconds: Mapping[str, float]):
    """Every accuracy and duration, as JSON."""
    runs = [dict(**job._asdict(), top1=value) for job, value in accuracies.items()]
    path.write_text(json.dumps(dict(runs=runs, seconds=dict(seconds)), indent=2) + '\n')


def write_report(
    path: Path,
    scalars: Sequence[dict],
    pictures: Reconstruction,
    accuracies: Mapping[Job, float],
    seconds: Mapping[str, float],
) -> None:
    """The page: results (if pictures with labels were evaluated), curves, reconstructions."""
    page = Report('BootMAE demo')
    if accuracies:
        page.paragraph(
            'A small BootMAE was pretrained on procedural pictures without labels. Then a linear '
            'probe and fine-tuning, each from scratch and from the pretrained encoder, with the '
            'same few labels, the same budget and three seeds.'
        )
        page.table(HEADER, table(accuracies), 'Mean and standard deviation over three seeds.')
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
        page.line_chart(
            {key: [(row['step'], row[key]) for row in scalars] for key in keys}, title, 'step', ''
        )
    page.heading('Time')
    page.table(
        ('stage', 'seconds'), [(name, f'{value:.0f}') for name, value in seconds.items()], ''
    )
    page.save(path)
