"""Probes with labelled images: nearest neighbours, and a linear classifier per block.

Shape suffixes: B images, D channels, C classes.
"""

from collections import Counter

import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from ...transfer.closed_form import ClosedFormHead
from .frozen import FrozenEncoder


class ImageProbe:
    """All probes of one encoder, in one pass over the train images and one over the val images.

    Features are averages of the patch tokens, which a
    :class:`bootmae_mm.transfer.closed_form.ClosedFormHead` classifies.

    Args:
        encoder: Whose features are probed.
        num_classes: Labels are from 0 to one less.
        k: Number of neighbours; all train images where there are fewer.
    """

    def __init__(self, encoder: FrozenEncoder, num_classes: int, k: int) -> None:
        self.encoder = encoder
        self.head = ClosedFormHead(range(1, encoder.num_blocks + 1), num_classes, k=k)
        self.num_right, self.num_judged = Counter(), 0

    def learn(self, images_BCHW: Tensor, samples: list[DataSample]) -> None:
        """Take in a batch of train images."""
        self.head.learn(self.encoder.block_averages(images_BCHW), samples)

    def fit(self) -> None:
        """To be called between train and val images."""
        self.head.fit()

    def judge(self, images_BCHW: Tensor, samples: list[DataSample]) -> None:
        """Classify a batch of val images."""
        scores = self.head.scores(self.encoder.block_averages(images_BCHW))
        labels_B = torch.cat([sample.gt_label for sample in samples])
        for name, scores_BC in scores.items():
            self.num_right[name] += (scores_BC.argmax(dim=1) == labels_B).sum().item()
        self.num_judged += len(labels_B)

    def scores(self) -> dict[str, float]:
        """Top-1 accuracies in percent: ``knn``, and ``linear_block1`` and so on, from 1."""
        return {
            name.replace('block_', 'linear_block'): 100 * right / self.num_judged
            for name, right in self.num_right.items()
        }
