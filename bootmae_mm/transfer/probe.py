"""Linear probes: of one block, or of many in one run (paper, Table 6; authors' release).

Shape suffixes: B images, D channels, C classes.
"""

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.model import BaseModule, ModuleDict, Sequential
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.registry import METRICS, MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from ..engine.tables import as_text


@MODELS.register_module()
class LinearProbe(ImageClassifier):
    """mmpretrain's classifier with a backbone that stays as it is: its parameters are frozen, so no
    graph is built through it, and it is in evaluation mode even while the rest trains.

    Args:
        **kwargs: Those of mmpretrain's ``ImageClassifier``.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.backbone.requires_grad_(False)

    def train(self, mode: bool = True) -> 'LinearProbe':
        """Neck and head change mode, the backbone does not."""
        super().train(mode)
        self.backbone.eval()
        return self


@MODELS.register_module()
class DepthSweepHead(BaseModule):
    """One linear probe per block, trained together on one pass of a frozen encoder.

    The losses are summed, and no probe's parameters are in another's loss, so that with an
    optimiser that treats every tensor by itself (LARS, SGD, Adam) each is trained as if alone.

    Args:
        blocks: Numbers of the probed blocks, from 1, in the order of the backbone's
            ``out_indices`` (which count from 0); they name losses and metrics.
        neck: Config of one probe's neck, such as ``ClsBatchNormNeck``.
        head: Config of one probe's head, such as ``LinearClsHead``.

    Raises:
        ValueError: In use, if the backbone hands over another number of features than ``blocks``.
    """

    def __init__(self, blocks: Sequence[int], neck: dict, head: dict) -> None:
        super().__init__()
        self.probes = ModuleDict(
            {
                f'block_{block}': Sequential(MODELS.build(neck), MODELS.build(head))
                for block in blocks
            }
        )

    def loss(self, features: tuple[Tensor, ...], data_samples: list[DataSample]) -> dict:
        """``{'block_10.loss': loss, …}`` of features ``(B, D)``, one per probe."""
        losses = {}
        for (name, (neck, head)), feature_BD in self._pairs(features):
            losses[f'{name}.loss'] = head.loss(neck((feature_BD,)), data_samples)['loss']
        return losses

    def predict(
        self, features: tuple[Tensor, ...], data_samples: list[DataSample]
    ) -> list[DataSample]:
        """Adds ``block_scores`` to the samples: ``{'block_10': logits (C,), …}``."""
        scores = {name: probe((feature_BD,)) for (name, probe), feature_BD in self._pairs(features)}
        for index, sample in enumerate(data_samples):
            sample.set_field({name: s_BC[index] for name, s_BC in scores.items()}, 'block_scores')
        return data_samples

    def _pairs(self, features: tuple[Tensor, ...]):
        if len(features) != len(self.probes):
            raise ValueError(
                f'DepthSweepHead expects the features of {len(self.probes)} blocks, found '
                f"{len(features)}; let its blocks and the backbone's out_indices name the same."
            )
        return zip(self.probes.items(), features, strict=True)


@METRICS.register_module()
class DepthSweepAccuracy(BaseMetric):
    """Accuracies of the probes of a :class:`DepthSweepHead`, in percent: ``accuracy/block_10/top1``
    and so on. Logs a table of them at every evaluation.

    Args:
        topk: A prediction counts as right if the label is among the ``k`` best.
        **kwargs: Those of mmengine's ``BaseMetric``.

    Raises:
        ValueError: In use, if there are fewer classes than the largest ``topk``.
    """

    default_prefix = 'accuracy'

    def __init__(self, topk: Sequence[int] = (1, 5), **kwargs) -> None:
        super().__init__(**kwargs)
        self.topk = tuple(topk)

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Keep for every sample and block whether it is right, one value per ``k``."""
        labels_B1 = torch.stack([sample['gt_label'] for sample in data_samples])
        hits = {
            name: self._hits(
                torch.stack([sample['block_scores'][name] for sample in data_samples]), labels_B1
            )
            for name in data_samples[0]['block_scores']
        }
        for index in range(len(data_samples)):
            self.results.append({name: hit[index] for name, hit in hits.items()})

    def _hits(self, scores_BC: Tensor, labels_B1: Tensor) -> Tensor:
        num_classes, most = scores_BC.shape[1], max(self.topk)
        if most > num_classes:
            raise ValueError(
                f'Top-{most} accuracy expects at least {most} classes, found {num_classes}; set '
                'topk of val_evaluator and test_evaluator.'
            )
        right = scores_BC.topk(most).indices == labels_B1.to(scores_BC.device)
        return torch.stack([right[:, :k].any(dim=1) for k in self.topk], dim=1).cpu()

    def compute_metrics(self, results: list[dict]) -> dict:
        """``{'block_10/top1': percent, …}`` over all samples."""
        names = [f'top{k}' for k in self.topk]
        rows = {
            block: (100 * torch.stack([r[block] for r in results]).double().mean(0)).tolist()
            for block in results[0]
        }
        lines = [
            (block.removeprefix('block_'), *(f'{value:.2f}' for value in values))
            for block, values in rows.items()
        ]
        table = as_text(('block', *names), lines, right=range(1 + len(names)))
        print_log(f'Linear probes\n{table}', logger='current')
        return {
            f'{block}/{name}': value
            for block, values in rows.items()
            for name, value in zip(names, values, strict=True)
        }
