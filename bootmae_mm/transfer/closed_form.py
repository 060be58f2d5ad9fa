"""What a frozen encoder is worth, without a learning rate: linear classifiers in closed form and
nearest neighbours, in one pass over the labelled images.

Shape suffixes: B images, D channels, C classes.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.optim import OptimWrapper
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from .knn import nearest, vote
from .probe import LinearProbe
from .ridge import RidgeClassifier


@MODELS.register_module()
class ClosedFormProbe(LinearProbe):
    """A frozen encoder whose head learns by taking in every batch once: no loss, no gradient, no
    step of an optimiser. One epoch with the images in order is all there is to train."""

    def train_step(self, data: dict, optim_wrapper: OptimWrapper) -> dict:
        """Let the head take in a batch; nothing to log."""
        data = self.data_preprocessor(data, True)
        with torch.no_grad(), optim_wrapper.optim_context(self):
            self.head.learn(self.extract_feat(data['inputs']), data['data_samples'])
        return {}


@MODELS.register_module()
class ClosedFormHead(BaseModule):
    """Linear classifiers of several blocks from several shares of the labels, and neighbours.

    Scores are named ``block_10`` (all labels), ``block_10_labels_0.1`` (a tenth of them), and
    ``knn`` (neighbours on the last of the blocks, all labels).

    Args:
        blocks: Numbers of the probed blocks, from 1, in the order of the backbone's
            ``out_indices`` (which count from 0).
        num_classes: C.
        shares: Shares of the labels that classifiers learn from, above 0 and up to 1: of each
            class's images the first, and one more whenever the share of those seen asks for it.
        k: Number of neighbours; all images where there are fewer.

    Raises:
        ValueError: If a share is out of range.
    """

    def __init__(
        self, blocks: Sequence[int], num_classes: int, shares: Sequence[float] = (1.0,), k: int = 20
    ) -> None:
        super().__init__()
        if not all(0 < share <= 1 for share in shares):
            raise ValueError(
                f'Expected shares of the labels above 0 and up to 1, found {list(shares)}; correct '
                'head.shares.'
            )
        self.blocks, self.num_classes, self.shares, self.k = blocks, num_classes, shares, k
        self.classifiers: dict[str, RidgeClassifier] = {}
        self.seen = [0] * num_classes
        self.bank: list[tuple[Tensor, Tensor]] = []
        self.fitted = False

    def learn(self, features: Sequence[Tensor], data_samples: list[DataSample]) -> None:
        """Take in features ``(B, D)`` of every block."""
        labels_B = torch.cat([sample.gt_label for sample in data_samples])
        taken = self.taken(labels_B.tolist())
        for block, feature_BD in zip(self.blocks, features, strict=True):
            for share, rows in taken.items():
                classifier = self.classifier(name_of(block, share), feature_BD)
                classifier.add(feature_BD[rows], F.one_hot(labels_B[rows], self.num_classes))
        self.bank.append((F.normalize(features[-1].float(), dim=1).cpu(), labels_B.cpu()))

    def taken(self, labels: Sequence[int]) -> dict[float, list[int]]:
        """The rows of a batch that belong to each share."""
        rows = {share: [] for share in self.shares}
        for row, label in enumerate(labels):
            before, self.seen[label] = self.seen[label], self.seen[label] + 1
            for share, chosen in rows.items():
                if before == 0 or int(share * (before + 1)) > max(1, int(share * before)):
                    chosen.append(row)
        return rows

    def classifier(self, name: str, feature_BD: Tensor) -> RidgeClassifier:
        """The classifier of this name, made when it is first asked for."""
        if name not in self.classifiers:
            size = feature_BD.shape[1], self.num_classes
            self.classifiers[name] = RidgeClassifier(*size, feature_BD.device)
        return self.classifiers[name]

    def fit(self) -> None:
        """Solve for all classifiers, once."""
        for classifier in self.classifiers.values() if not self.fitted else ():
            classifier.fit()
        self.fitted = True

    def predict(
        self, features: Sequence[Tensor], data_samples: list[DataSample]
    ) -> list[DataSample]:
        """Adds ``block_scores`` to the samples, as :class:`.probe.DepthSweepHead` does:
        ``{'block_10': (C,), …, 'knn': (C,)}``."""
        self.fit()
        scores = self.scores(features)
        for index, sample in enumerate(data_samples):
            sample.set_field({name: s_BC[index] for name, s_BC in scores.items()}, 'block_scores')
        return data_samples

    def scores(self, features: Sequence[Tensor]) -> dict[str, Tensor]:
        """Scores of the classes ``(B, C)`` by every classifier, and by neighbours."""
        scores = {
            name_of(block, share): self.classifiers[name_of(block, share)].scores(feature_BD)
            for block, feature_BD in zip(self.blocks, features, strict=True)
            for share in self.shares
        }
        return {'knn': self.votes(features[-1]), **scores}

    def votes(self, feature_BD: Tensor) -> Tensor:
        """How the nearest neighbours vote, ``(B, C)``."""
        bank_ND, labels_N = map(torch.cat, zip(*self.bank, strict=True))
        self.bank = [(bank_ND, labels_N)]
        queries_BD = F.normalize(feature_BD.float(), dim=1)
        similarity_BK, index_BK = nearest(queries_BD, bank_ND, min(self.k, len(bank_ND)))
        return vote(similarity_BK, labels_N.to(index_BK.device)[index_BK], self.num_classes)


def name_of(block: int, share: float) -> str:
    """How the scores of a classifier are called."""
    return f'block_{block}' if share == 1 else f'block_{block}_labels_{share:g}'
