"""Made-up results of the demo."""

import numpy as np

from bootmae_mm.studies.demo import stages

SCORES = {
    ('linear probe', 'scratch'): {'top-1': 20.0},
    ('linear probe', 'pretrained'): {'top-1': 31.0},
    ('fine-tuning', 'scratch'): {'top-1': 40.0},
    ('fine-tuning', 'pretrained'): {'top-1': 39.0},
    ('segmentation', 'scratch'): {'mIoU': 10.0},
    ('segmentation', 'pretrained'): {'mIoU': 12.5},
    ('detection', 'scratch'): {'box AP': 1.0, 'mask AP': 2.0},
    ('detection', 'pretrained'): {'box AP': 3.0, 'mask AP': 5.0},
}


OUTCOMES = {
    stages.Job(task, start, seed): stages.Outcome(
        {name: value + seed for name, value in scores.items()},
        [np.full((6, 6, 3), seed, np.uint8)] * 2,
    )
    for (task, start), scores in SCORES.items()
    for seed in range(3)
}
