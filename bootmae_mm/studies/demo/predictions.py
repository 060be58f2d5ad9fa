"""What a trained segmentor or detector says about pictures, and the truth, painted over them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement, PixelData
from PIL import Image

from ...visualization.predictions import build_visualizer, paint

CONFIG = Path(__file__).parents[3] / 'configs/demo/segment.py'  # says how classes are painted


def classes(scope: str) -> dict[str, list]:
    """Names and colours of the classes; detection, in scope 'mmdet', has no background."""
    metainfo = Config.fromfile(CONFIG).val_dataloader.dataset.metainfo
    first = 1 if scope == 'mmdet' else 0
    colours = [tuple(colour) for colour in metainfo.palette]
    return dict(classes=list(metainfo.classes)[first:], palette=colours[first:])


def paint_truth(images: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Label maps painted over their pictures.

    Args:
        images: uint8 ``(H, W, 3)`` each, RGB.
        labels: ``(H, W)`` each, 0 for the background, 1 + class elsewhere.
    """
    visualizer = build_visualizer('mmseg', classes('mmseg'))
    samples = (
        BaseDataElement(pred_sem_seg=PixelData(data=torch.tensor(label[None]))) for label in labels
    )
    return [paint(image, sample, visualizer) for image, sample in zip(images, samples, strict=True)]


@torch.no_grad()
def predict(runner: Runner, count: int) -> list[np.ndarray]:
    """Painted predictions for the first pictures of a trained run's validation set.

    Of a detector's instances the one with the highest score is shown: there is one shape in a
    picture.
    """
    runner.model.eval()
    scope = runner.cfg.default_scope
    visualizer = build_visualizer(scope, classes(scope))
    painted = []
    for batch in runner.val_dataloader:
        for sample in runner.model.val_step(batch):
            options = {}
            if 'pred_instances' in sample:
                found, options = sample.pred_instances, dict(pred_score_thr=-1.0)
                sample.pred_instances = found[found.scores.argsort(descending=True)[:1]]
            image = np.asarray(Image.open(sample.img_path).convert('RGB'))
            painted.append(paint(image, sample, visualizer, **options))
            if len(painted) == count:
                return painted
    return painted
