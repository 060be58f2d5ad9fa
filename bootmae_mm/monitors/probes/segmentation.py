"""A linear segmentation probe: a class for every patch, from its features alone.

Shape suffixes: B images, H × W pixels, N patches, D channels, C classes.
"""

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from ...transfer.ridge import RidgeClassifier
from .frozen import FrozenEncoder

IGNORED = 255  # label of pixels that count for nothing


def pixels_per_class(labels_BHW: Tensor, patch_size: int, num_classes: int) -> Tensor:
    """How many pixels of each class a patch has, ``(B, N, C)``, int64; ignored ones are left out.

    Args:
        labels_BHW: Labels from 0 to ``num_classes - 1``, or 255; H and W multiples of the patch.
        patch_size: Side of a patch in pixels; patches are counted row by row.
        num_classes: C.

    Raises:
        ValueError: If there is another label.
    """
    counted_BHW = labels_BHW != IGNORED
    if (counted_BHW & ((labels_BHW < 0) | (labels_BHW >= num_classes))).any():
        raise ValueError(
            f'Expected labels 0 to {num_classes - 1}, or {IGNORED} for ignored pixels, found '
            f'{labels_BHW[counted_BHW].unique().tolist()}; correct the label maps or the number '
            'of classes.'
        )
    B, H, W = labels_BHW.shape
    P, rows, columns = patch_size, H // patch_size, W // patch_size
    labels_BNP = labels_BHW.reshape(B, rows, P, columns, P).transpose(2, 3).reshape(B, -1, P * P)
    counts = labels_BNP.new_zeros(B, rows * columns, num_classes)
    counted = labels_BNP != IGNORED
    return counts.scatter_add_(2, labels_BNP.where(counted, 0), counted.to(counts.dtype))


def mean_iou(confusion_CC: Tensor) -> float:
    """Mean intersection over union in percent, over the classes that occur among labels or
    predictions (as mmseg's ``IoUMetric``); 0 if none does.

    Args:
        confusion_CC: Pixels predicted (rows) to be of a class and truly (columns) of a class.
    """
    both_C = confusion_CC.diag().double()
    either_C = confusion_CC.sum(dim=0) + confusion_CC.sum(dim=1) - both_C
    occurs_C = either_C > 0
    if not occurs_C.any():
        return 0.0
    return 100 * (both_C[occurs_C] / either_C[occurs_C]).mean().item()


class SegmentationProbe:
    """The probe of one encoder, in one pass over the train images and one over the val images.

    The patch tokens after the last block are classified by
    :class:`bootmae_mm.transfer.ridge.RidgeClassifier`, which learns from the share of pixels of
    each class in a patch. A predicted class is that of all pixels of its patch, and the score is
    over pixels: it is what the features say of a place, without a decoder that draws outlines, and
    stays below 100 where an outline crosses a patch.

    Args:
        encoder: Whose features are probed.
        num_classes: Labels are from 0 to one less, or 255.
    """

    def __init__(self, encoder: FrozenEncoder, num_classes: int) -> None:
        self.encoder, self.num_classes = encoder, num_classes
        self.classifier = RidgeClassifier(encoder.num_features, num_classes, encoder.device)
        self.confusion_CC = torch.zeros(
            num_classes, num_classes, dtype=torch.long, device=encoder.device
        )

    def learn(self, images_BCHW: Tensor, samples: list[BaseDataElement]) -> None:
        """Take in a batch of train images."""
        features_ND, counts_NC = self.rows(images_BCHW, samples)
        self.classifier.add(features_ND, counts_NC / self.encoder.patch_size**2)

    def fit(self) -> None:
        """To be called between train and val images."""
        self.classifier.fit()

    def judge(self, images_BCHW: Tensor, samples: list[BaseDataElement]) -> None:
        """Classify the patches of a batch of val images."""
        features_ND, counts_NC = self.rows(images_BCHW, samples)
        self.confusion_CC.index_add_(0, self.classifier.predict(features_ND), counts_NC)

    def scores(self) -> dict[str, float]:
        """``seg_miou``, in percent."""
        return dict(seg_miou=mean_iou(self.confusion_CC))

    def rows(self, images_BCHW: Tensor, samples: list[BaseDataElement]) -> tuple[Tensor, Tensor]:
        """Features and pixels per class of all patches of a batch, a row each."""
        labels_BHW = torch.cat([sample.gt_sem_seg.data for sample in samples]).long()
        counts_BNC = pixels_per_class(labels_BHW, self.encoder.patch_size, self.num_classes)
        return self.encoder.patches(images_BCHW).flatten(0, 1), counts_BNC.flatten(0, 1)
