"""What a trained segmentor or detector says about pictures, painted over them."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.runner import Runner
from PIL import Image, ImageDraw

# Background, then one colour per class.
PALETTE = np.array(
    [
        (0, 0, 0), (230, 25, 75), (60, 180, 75), (255, 225, 25), (0, 130, 200),
        (245, 130, 48), (145, 30, 180), (70, 240, 240), (240, 50, 230),
    ],
    np.uint8,
)  # fmt: skip
ZOOM = 3


def paint_labels(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Colour every labelled pixel by its class, mixed with the picture.

    Args:
        image: uint8 (H, W, 3), RGB.
        labels: (H, W), 0 for the background, 1 + class elsewhere.

    Returns:
        uint8 (ZOOM * H, ZOOM * W, 3).
    """
    mixed = (0.35 * image + 0.65 * PALETTE[labels]).astype(np.uint8)
    painted = np.where(labels[..., None] > 0, mixed, image)
    return painted.repeat(ZOOM, 0).repeat(ZOOM, 1)


def paint_instances(
    image: np.ndarray, classes: Sequence[int], boxes: np.ndarray, masks: np.ndarray
) -> np.ndarray:
    """Colour every instance's mask by its class and draw its box, as (x1, y1, x2, y2)."""
    labels = np.zeros(image.shape[:2], int)
    for class_id, mask in zip(classes, masks, strict=True):
        labels[mask] = 1 + class_id
    picture = Image.fromarray(paint_labels(image, labels))
    draw = ImageDraw.Draw(picture)
    for class_id, box in zip(classes, boxes, strict=True):
        low, high = box[:2] * ZOOM, np.maximum(box[2:] * ZOOM - 1, box[:2] * ZOOM)
        draw.rectangle([*low, *high], outline=tuple(PALETTE[1 + class_id].tolist()), width=2)
    return np.asarray(picture)


@torch.no_grad()
def predict(runner: Runner, count: int) -> list[np.ndarray]:
    """Painted predictions for the first pictures of a trained run's validation set.

    Of a detector's instances the one with the highest score is shown: there is one shape in a
    picture.
    """
    runner.model.eval()
    painted = []
    for batch in runner.val_dataloader:
        for sample in runner.model.val_step(batch):
            painted.append(_paint(np.asarray(Image.open(sample.img_path).convert('RGB')), sample))
            if len(painted) == count:
                return painted
    return painted


def _paint(image: np.ndarray, sample) -> np.ndarray:
    if 'pred_sem_seg' in sample:
        return paint_labels(image, sample.pred_sem_seg.data[0].numpy())
    found = sample.pred_instances
    found = found[found.scores.argsort(descending=True)[:1]]
    return paint_instances(
        image, found.labels.tolist(), found.bboxes.numpy(), found.masks.numpy().astype(bool)
    )
