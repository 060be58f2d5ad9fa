"""Labels of semantic segmentation against the classes of the head, while loading."""

from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS

from .labels import check_seg_labels


@TRANSFORMS.register_module()
class CheckSegLabels(BaseTransform):
    """Stops at a label that the head has no class for, before the loss fails on it with an index
    error, or on a GPU with an assertion that names neither file nor value.

    Stands after ``LoadAnnotations``. **Required keys:** ``gt_seg_map`` (H, W), ``seg_map_path``,
    ``reduce_zero_label``. Nothing is changed. A picture that has no labels, as mmseg's inferencer
    loads it, passes.

    Args:
        num_classes: Number of classes of the decode head; by default that of the data set, where
            it tells, as :class:`~bootmae_mm.data.label_maps.SegmentationFolders` does.
        ignore_index: The label of pixels without loss.

    Raises:
        ValueError: See :func:`.labels.check_seg_labels`.
    """

    def __init__(self, num_classes: int | None = None, ignore_index: int = 255) -> None:
        self.num_classes = num_classes
        self.ignore_index = ignore_index

    def transform(self, results: dict) -> dict:
        """Check ``results['gt_seg_map']``."""
        num_classes = self.num_classes or results.get('num_classes')
        if 'seg_map_path' not in results or num_classes is None:
            return results
        check_seg_labels(
            results['gt_seg_map'],
            num_classes,
            results['seg_map_path'],
            self.ignore_index,
            results['reduce_zero_label'],
        )
        return results
