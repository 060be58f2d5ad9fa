"""Labels of semantic segmentation against the classes of the head."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS


def check_seg_labels(
    labels_HW: np.ndarray,
    num_classes: int,
    path: str,
    ignore_index: int = 255,
    reduce_zero_label: bool = False,
) -> None:
    """Check a label map as mmseg's ``LoadAnnotations`` leaves it.

    Args:
        labels_HW: Integer labels, one per pixel.
        num_classes: Labels run from 0 to one less.
        path: The file, for the message.
        ignore_index: The label of pixels without loss.
        reduce_zero_label: Whether loading took 1 off every label and turned 0 into 255.

    Raises:
        ValueError: If there is another label, naming file and value.
    """
    wrong = (labels_HW >= num_classes) & (labels_HW != ignore_index)
    if not wrong.any():
        return
    value = int(labels_HW[wrong].max())
    if reduce_zero_label:
        found = f'{value} ({value + 1} in the file, as reduce_zero_label takes 1 off)'
        advice = "correct the label map or the head's num_classes"
    else:
        found = str(value)
        advice = (
            "correct the label map or the head's num_classes, or set reduce_zero_label=True if 0 "
            'is the background'
        )
    raise ValueError(
        f'Expected labels 0 to {num_classes - 1}, or {ignore_index} for ignored pixels, found '
        f'{found} in {path!r}; {advice}.'
    )


@TRANSFORMS.register_module()
class CheckSegLabels(BaseTransform):
    """Stops at a label that the head has no class for, before the loss fails on it with an index
    error, or on a GPU with an assertion that names neither file nor value.

    Stands after ``LoadAnnotations``. **Required keys:** ``gt_seg_map`` (H, W), ``seg_map_path``,
    ``reduce_zero_label``. Nothing is changed. A picture that has no labels, as mmseg's inferencer
    loads it, passes.

    Args:
        num_classes: Number of classes of the decode head.
        ignore_index: The label of pixels without loss.

    Raises:
        ValueError: See :func:`check_seg_labels`.
    """

    def __init__(self, num_classes: int, ignore_index: int = 255) -> None:
        self.num_classes = num_classes
        self.ignore_index = ignore_index

    def transform(self, results: dict) -> dict:
        """Check ``results['gt_seg_map']``."""
        if 'seg_map_path' not in results:
            return results
        check_seg_labels(
            results['gt_seg_map'],
            self.num_classes,
            results['seg_map_path'],
            self.ignore_index,
            results['reduce_zero_label'],
        )
        return results
