"""Predicted label maps as files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.registry import METRICS
from PIL import Image


@METRICS.register_module()
class LabelMapFiles(BaseMetric):
    """Writes a PNG for every picture that is tested, with the label of each pixel as the data set's
    own label maps have it: from 1 with ``reduce_zero_label``. It measures nothing.

    Pictures keep their places in their folder, so that equal names do not meet.

    Args:
        folder: Where to write.
        root: Folder of the pictures; those from elsewhere go by their whole path.
        **kwargs: Those of mmengine's ``BaseMetric``.
    """

    def __init__(self, folder: str, root: str = '', **kwargs) -> None:
        super().__init__(**kwargs)
        self.folder, self.root = Path(folder), Path(root).absolute()

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Write what was predicted for a batch."""
        for sample in data_samples:
            picture = Path(sample['img_path']).absolute()
            inside = picture.is_relative_to(self.root)
            path = self.folder / picture.relative_to(self.root if inside else picture.anchor)
            path = path.with_suffix('.png')
            path.parent.mkdir(parents=True, exist_ok=True)
            labels_HW = sample['pred_sem_seg']['data'].squeeze(0).cpu().numpy()
            stored = labels_HW + bool(sample.get('reduce_zero_label'))
            Image.fromarray(stored.astype(np.uint8)).save(path)
            self.results.append(str(path))

    def compute_metrics(self, results: list) -> dict:
        """Say where they are."""
        print_log(f'{len(results)} label maps are in {str(self.folder)!r}.', logger='current')
        return {}
