"""Made-up results of the demo."""

import numpy as np

from bootmae_mm.studies.demo.predictions import Shown
from bootmae_mm.studies.demo.stages import Job
from bootmae_mm.visualization.painting import Figure

SCORES = {
    ('classification', 'scratch'): {'top-1': 40.0},
    ('classification', 'pretrained'): {'top-1': 50.0},
    ('segmentation', 'scratch'): {'mIoU': 10.0},
    ('segmentation', 'pretrained'): {'mIoU': 12.5},
    ('detection', 'scratch'): {'box AP': 1.0, 'mask AP': 2.0},
    ('detection', 'pretrained'): {'box AP': 0.0, 'mask AP': 5.0},
}


OUTCOMES = {
    Job(task, start, seed): {name: value + seed for name, value in scores.items()}
    for (task, start), scores in SCORES.items()
    for seed in range(3)
}


def shown(count: int = 2) -> Shown:
    """Random pictures and falling curves."""
    rng = np.random.default_rng(0)

    def pictures(columns: int, side: int) -> list[tuple[np.ndarray, ...]]:
        return [tuple(rng.integers(0, 256, (columns, side, side, 3), dtype=np.uint8))] * count

    labels = ('truth', 'from scratch', 'pretrained')
    found = {task: Figure(task, f'{task}!', labels, pictures(3, 256), '') for task in
             ('segmentation', 'detection')}  # fmt: skip
    columns = ('original', 'masked', 'reconstruction', 'pasted')
    hidden = Figure('reconstruction', 'title', columns, pictures(4, 48), 'how they are made')
    keys = ('L_pixel', 'L_feature', 'teacher_spread', 'feature_spread')
    return Shown(found, hidden, dict.fromkeys(keys, [(step, 1 / step) for step in range(1, 60)]))
