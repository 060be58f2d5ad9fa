"""What there is to see of the demo's runs: predictions, reconstructions, curves."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.config import Config
from PIL import Image

from ...engine.run_files import last_checkpoint
from ...reports.run.scalars import Points, curves
from ...reports.run.work_dir import read_work_dir
from ...visualization.drawing import draw_figures
from ...visualization.images import Picture, find_files, read_evenly
from ...visualization.outlines import label_regions, outlined
from ...visualization.painting import Figure
from ...visualization.predictions import Predictor
from .stages import STARTS, TASKS, Job

PREDICTED, RECONSTRUCTED = 4, 6  # pictures


class Shown(NamedTuple):
    """What the page shows.

    Attributes:
        predictions: Of the tasks with outlines, the truth and the predictions of both starts.
        reconstructions: Of the pretrained model.
        curves: Of pretraining.
    """

    predictions: dict[str, Figure]
    reconstructions: Figure
    curves: Points


def look(tasks: Collection[str], work_dir: Path, data: Path) -> Shown:
    """Run the models of the first seed on pictures that none was trained on."""
    outlines = [task for task in ('segmentation', 'detection') if task in tasks]
    found = {task: predictions(task, work_dir, data) for task in outlines}
    run, files = work_dir / 'pretrain', find_files([str(data / 'shapes/val')])
    reconstructions, *_ = draw_figures(
        Config.fromfile(run / 'config.py'),
        str(last_checkpoint(run)),
        read_evenly(files.__getitem__, len(files), RECONSTRUCTED),
    )
    return Shown(found, reconstructions, curves(read_work_dir(run).rows, None).train)


def predictions(task: str, work_dir: Path, data: Path) -> Figure:
    """A row for each picture: the truth, what was learned from scratch, what from pretraining."""
    ade = data / TASKS['segmentation'].data
    maps = sorted((ade / 'annotations/validation').iterdir())[:PREDICTED]
    files = [ade / 'images/validation' / file.name for file in maps]
    runs = [Job(task, start, 0).folder(work_dir) for start in STARTS]
    columns = [truth(files, maps), *(predicted(run, files) for run in runs)]
    labels = ('truth', 'from scratch', 'pretrained')
    title = f'{task.capitalize()}: pictures that no model was trained on'
    return Figure(task, title, labels, list(zip(*columns, strict=True)), '')


def read_rgb(file: Path) -> np.ndarray:
    """A picture, uint8 ``(H, W, 3)``."""
    return np.asarray(Image.open(file).convert('RGB'))


def truth(pictures: Sequence[Path], maps: Sequence[Path]) -> list[np.ndarray]:
    """Pictures with their label maps outlined; the classes are named beside the folders."""
    names = (maps[0].parents[2] / 'classes.txt').read_text().split()
    return [
        outlined(read_rgb(file), label_regions(np.asarray(Image.open(labels)), dict(classes=names)))
        for file, labels in zip(pictures, maps, strict=True)
    ]


def predicted(run: Path, pictures: Sequence[Path]) -> list[np.ndarray]:
    """Pictures with what a run's model finds outlined; of a detection, the most certain instance,
    as there is one shape in a picture."""
    predictor = Predictor(Config.fromfile(run / 'config.py'), str(last_checkpoint(run)))
    shown = []
    for file in pictures:
        picture = Picture(str(file), read_rgb(file))
        regions = predictor.regions(picture, min_score=0.0)
        regions = regions[-1:] if predictor.scope == 'mmdet' else regions
        shown.append(outlined(picture.pixels, regions))
    return shown
