"""Probes with labelled images: nearest neighbours, and a linear classifier per block.

Shape suffixes: B images, N train or val images, D channels, C classes.
"""

import torch
import torch.nn.functional as F
from mmpretrain.structures import DataSample
from torch import Tensor

from ...transfer import knn
from .frozen import FrozenEncoder
from .linear import RidgeClassifier


class ImageProbe:
    """All probes of one encoder, in one pass over the train images and one over the val images.

    Features are averages of the patch tokens. Neighbours are looked for by cosine similarity of the
    last block's, as :mod:`bootmae_mm.transfer.knn` does; the linear classifiers are those of
    :class:`.linear.RidgeClassifier`.

    Args:
        encoder: Whose features are probed.
        num_classes: Labels are from 0 to one less.
        k: Number of neighbours; all train images where there are fewer.
    """

    def __init__(self, encoder: FrozenEncoder, num_classes: int, k: int) -> None:
        self.encoder, self.num_classes, self.k = encoder, num_classes, k
        self.classifiers = [
            RidgeClassifier(encoder.num_features, num_classes, encoder.device)
            for _ in range(encoder.num_blocks)
        ]
        self.num_right = torch.zeros(encoder.num_blocks, dtype=torch.long, device=encoder.device)
        self.learned, self.judged = [], []  # last block's features and labels, on the host

    def learn(self, images_BCHW: Tensor, samples: list[DataSample]) -> None:
        """Take in a batch of train images."""
        averages, labels_B = self.encoder.block_averages(images_BCHW), labels_of(samples)
        for classifier, average_BD in zip(self.classifiers, averages, strict=True):
            classifier.add(average_BD, F.one_hot(labels_B, self.num_classes))
        self.learned.append(as_neighbours(averages[-1], labels_B))

    def fit(self) -> None:
        """To be called between train and val images."""
        for classifier in self.classifiers:
            classifier.fit()

    def judge(self, images_BCHW: Tensor, samples: list[DataSample]) -> None:
        """Classify a batch of val images."""
        averages, labels_B = self.encoder.block_averages(images_BCHW), labels_of(samples)
        for block, average_BD in enumerate(averages):
            predicted_B = self.classifiers[block].predict(average_BD)
            self.num_right[block] += (predicted_B == labels_B).sum()
        self.judged.append(as_neighbours(averages[-1], labels_B))

    def scores(self) -> dict[str, float]:
        """Top-1 accuracies in percent: ``knn``, and ``linear_block1`` and so on, from 1."""
        bank_ND, bank_labels_N = map(torch.cat, zip(*self.learned, strict=True))
        queries_ND, labels_N = map(torch.cat, zip(*self.judged, strict=True))
        k = min(self.k, len(bank_ND))
        top1 = knn.accuracies(queries_ND, labels_N, bank_ND, bank_labels_N, [k])
        linear = (100 * self.num_right.double() / len(labels_N)).tolist()
        return {
            'knn': top1[k],
            **{f'linear_block{block}': percent for block, percent in enumerate(linear, start=1)},
        }


def labels_of(samples: list[DataSample]) -> Tensor:
    """Labels ``(B,)``."""
    return torch.cat([sample.gt_label for sample in samples])


def as_neighbours(features_BD: Tensor, labels_B: Tensor) -> tuple[Tensor, Tensor]:
    """Features of length 1 and labels, on the host."""
    return F.normalize(features_BD, dim=1).cpu(), labels_B.cpu()
