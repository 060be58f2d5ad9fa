"""Weighted k-nearest-neighbour classification on frozen features.

As in DINO (Caron et al., ICCV 2021, section 4.1 and appendix; Wu et al., CVPR 2018): cosine
similarity, and each of the k nearest training images votes for its class with the weight
exp(similarity / 0.07). BootMAE's paper has no such numbers.

Shape suffixes: N training images (the bank), Q queries, K neighbours, D channels, C classes.
"""

import logging
from collections.abc import Callable, Sequence
from copy import deepcopy

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.registry import MODELS
from torch import Tensor
from torch.utils.data import DataLoader

from ..encoder.loading import load_encoder_file
from ..engine.datasets import replace_nothing, skipped_files
from ..engine.optim import DTYPES

TEMPERATURE = 0.07
BANK_CHUNK, QUERY_CHUNK = 16384, 4096  # similarities of one chunk: 256 MiB in float32
Progress = Callable[[str, int, int], None]


def nearest(queries_QD: Tensor, bank_ND: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The ``k`` most similar rows of the bank for every query, by inner product.

    Works on chunks of both, so that memory does not grow with Q × N; the bank may lie on the host.

    Returns:
        Similarities ``(Q, K)``, the largest first, and indices into the bank ``(Q, K)``.

    Raises:
        ValueError: If the bank has fewer than ``k`` rows.
    """
    if k > len(bank_ND):
        raise ValueError(f'Expected k of at most the {len(bank_ND)} training images, found {k}.')
    count, device = len(queries_QD), queries_QD.device
    best_QK = torch.full((count, k), -torch.inf, device=device)
    index_QK = torch.zeros((count, k), dtype=torch.long, device=device)
    for start in range(0, len(bank_ND), BANK_CHUNK):
        chunk = bank_ND[start : start + BANK_CHUNK].to(device)
        for rows in torch.arange(count, device=device).split(QUERY_CHUNK):
            top = (queries_QD[rows] @ chunk.T).topk(min(k, len(chunk)))
            values = torch.cat([best_QK[rows], top.values], dim=1)
            indices = torch.cat([index_QK[rows], top.indices + start], dim=1)
            best_QK[rows], order = values.topk(k)
            index_QK[rows] = indices.gather(1, order)
    return best_QK, index_QK


def vote(similarity_QK: Tensor, labels_QK: Tensor, num_classes: int) -> Tensor:
    """Scores of the classes ``(Q, C)``: every neighbour adds exp(similarity / 0.07) to its own."""
    # Relative to the nearest one, so that nothing overflows and the order of the classes stays.
    weights = torch.exp((similarity_QK - similarity_QK[:, :1]) / TEMPERATURE)
    scores_QC = weights.new_zeros(len(weights), num_classes)
    return scores_QC.scatter_add_(1, labels_QK, weights)


def accuracies(
    queries_QD: Tensor, labels_Q: Tensor, bank_ND: Tensor, bank_labels_N: Tensor, ks: Sequence[int]
) -> dict[int, float]:
    """Top-1 accuracy in percent for every number of neighbours in ``ks``, computed on the GPU if
    there is one; features and labels on the host.

    Raises:
        ValueError: If the bank has fewer rows than the largest of ``ks``.
    """
    similarity_QK, index_QK = nearest(queries_QD.to(get_device()), bank_ND, max(ks))
    labels_QK = bank_labels_N[index_QK.cpu()].to(similarity_QK.device)
    num_classes = int(bank_labels_N.max()) + 1
    found = {}
    for k in ks:
        predicted = vote(similarity_QK[:, :k], labels_QK[:, :k], num_classes).argmax(dim=1)
        found[k] = 100 * (predicted.cpu() == labels_Q).double().mean().item()
    return found


@torch.no_grad()
def extract(
    model: ImageClassifier, loader: DataLoader, block: int, dtype: torch.dtype, progress: Callable
) -> tuple[Tensor, Tensor]:
    """Average of the patch tokens after a block, L2-normalised.

    Args:
        model: A classifier with a ``BootMAEViT``; its head is not used.
        loader: Data loader of labelled images.
        block: Number of the block, from 1.
        dtype: Precision of the forward pass.
        progress: Called with (batches done, batches in all).

    Returns:
        Features ``(N, D)`` and labels ``(N,)``, float32 and int64 on the host.
    """
    model.eval()
    features, labels, device = [], [], next(model.parameters()).device.type
    for done, batch in enumerate(loader, start=1):
        for path, why in skipped_files(batch):
            print_log(f'{path} is skipped: {why}', logger='current', level=logging.WARNING)
        data = model.data_preprocessor(batch, training=False)
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            tokens_BTD, _ = model.backbone.encode(data['inputs'], num_blocks=block)
        pooled = tokens_BTD[:, 1:].float().mean(dim=1)
        features.append(F.normalize(pooled, dim=1).cpu())
        labels.append(torch.cat([sample.gt_label for sample in data['data_samples']]).cpu())
        progress(done, len(loader))
    return torch.cat(features), torch.cat(labels)


def evaluate_knn(
    cfg: Config, checkpoint: str, ks: Sequence[int], block: int | None, progress: Progress
) -> dict[int, float]:
    """Classify the validation images by their neighbours among the training images.

    Both go through the validation pipeline, in one process, in the precision of
    ``cfg.optim_wrapper.dtype``.

    Args:
        cfg: Config of a classifier: its encoder, preprocessor and data loaders are used.
        checkpoint: Checkpoint of pretraining or of a classifier.
        ks: Numbers of neighbours.
        block: Number of the block, from 1; None for the last.
        progress: Called with ('train' or 'val', batches done, batches in all).

    Returns:
        Top-1 accuracy in percent for every ``k``.

    Raises:
        ValueError: If the config has no validation set, there is no such block, the checkpoint
            does not hold the whole encoder, there are fewer training images than ``k``, or a
            validation image cannot be read.
    """
    if cfg.get('val_dataloader') is None:
        raise ValueError(
            'Expected the config of a classifier, found one without val_dataloader; take one of '
            'configs/linear or configs/finetune.'
        )
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    model = _classifier(cfg, checkpoint)
    num_layers = model.backbone.num_layers
    block = num_layers if block is None else block
    if not 1 <= block <= num_layers:
        raise ValueError(f'Expected a block from 1 to {num_layers}, found {block}.')
    dtype = DTYPES[cfg.optim_wrapper.get('dtype', 'float32')]
    sets = {}
    for split, loader in zip(('train', 'val'), _loaders(cfg), strict=True):
        sets[split] = extract(
            model,
            loader,
            block,
            dtype,
            lambda done, total, split=split: progress(split, done, total),
        )
    return accuracies(*sets['val'], *sets['train'], ks)


def _classifier(cfg: Config, checkpoint: str) -> ImageClassifier:
    model = MODELS.build(cfg.model)
    load_encoder_file(model.backbone, checkpoint)
    return model.to(get_device())


def _loaders(cfg: Config) -> tuple[DataLoader, DataLoader]:
    """The training and the validation images, both in the validation set's loader."""
    train = deepcopy(cfg.val_dataloader)
    train.dataset = deepcopy(cfg.train_dataloader.dataset)
    train.dataset.pipeline = cfg.val_dataloader.dataset.pipeline
    val = Runner.build_dataloader(deepcopy(cfg.val_dataloader))
    replace_nothing(val.dataset)
    return Runner.build_dataloader(train), val
