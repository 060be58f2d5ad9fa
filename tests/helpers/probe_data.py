"""Tiny labelled pictures and label maps for the probes, and their features without the probes."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

CLASSES = 3
SIDE = 32  # of the tiny BootMAE, with 4 × 4 patches of 8 pixels


def write_labelled(root: Path, per_class: int = 12, seed: int = 0) -> Path:
    """``{train,val}/<class>/<n>.png``: noise with a faint tint of the class's colour, so that about
    half of the pictures are told right."""
    rng = np.random.default_rng(seed)
    for split in ('train', 'val'):
        for label in range(CLASSES):
            folder = root / split / f'class_{label}'
            folder.mkdir(parents=True)
            for number in range(per_class):
                picture = rng.normal(128, 60, (4, 4, 3)) + 20 * (np.arange(3) == label)
                save(picture.repeat(8, axis=0).repeat(8, axis=1), folder / f'{number:02}.png')
    return root


def write_label_maps(root: Path, count: int = 10, seed: int = 0) -> Path:
    """``{train,val}/{images,labels}/<n>.png``: rectangles of a class over class 0, tinted; a column
    of pixels is ignored."""
    rng = np.random.default_rng(seed)
    for split in ('train', 'val'):
        for kind in ('images', 'labels'):
            (root / split / kind).mkdir(parents=True)
        for number in range(count):
            labels = np.zeros((SIDE, SIDE), np.uint8)
            top, left = rng.integers(0, SIDE - 12, 2)
            labels[top : top + 14, left : left + 18] = 1 + number % 2
            picture = rng.normal(128, 60, (SIDE, SIDE, 3))
            picture += 30 * (labels[..., None] == np.arange(3))
            labels[:, 5] = 255
            save(picture, root / split / 'images' / f'{number:02}.png')
            save(labels, root / split / 'labels' / f'{number:02}.png')
    return root


def save(values: np.ndarray, path: Path) -> None:
    Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(path)


def read(paths: list[Path]) -> Tensor:
    """Pictures as the encoder gets them, RGB from -1 to 1."""
    arrays = [np.asarray(Image.open(path), dtype=np.float32) / 127.5 - 1 for path in paths]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()


def image_hook(root: Path, flip: float = 0.0, **changes) -> dict:
    """The hook with the pictures of :func:`write_labelled`; ``flip`` makes its pipeline random."""
    pipeline = [dict(type='LoadAnyImage'), dict(type='RandomFlip', prob=flip)]
    dataset = dict(
        type='CustomDataset', data_root=str(root), pipeline=[*pipeline, dict(type='PackInputs')]
    )
    images = {split: dict(**dataset, data_prefix=split) for split in ('train', 'val')}
    return dict(type='OnlineProbeHook', images=images, k=5, batch_size=10) | changes


def map_configs(root: Path) -> dict:
    """Data sets of the label maps of :func:`write_label_maps`."""
    return {
        split: dict(
            type='LabelMapFolders', num_classes=CLASSES, img_size=SIDE,
            images=str(root / split / 'images'), labels=str(root / split / 'labels'),
        )
        for split in ('train', 'val')
    }  # fmt: skip


def ridge_scores(
    x_ND: np.ndarray, targets_NC: np.ndarray, new_MD: np.ndarray, ridge: float
) -> np.ndarray:
    """Outputs for new rows of the least squares that ``RidgeClassifier`` documents: a row for every
    (row, class) with a target, and the penalty as further rows."""
    rows = [(n, c, t) for n, row in enumerate(targets_NC) for c, t in enumerate(row) if t]
    weight = np.array([t for *_, t in rows])
    x = np.array([x_ND[n] for n, *_ in rows], dtype=np.float64)
    one_hot = np.eye(targets_NC.shape[1])[[c for _, c, _ in rows]]
    mean = np.average(x, axis=0, weights=weight)
    std = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weight))

    def design(rows_ND):
        return np.hstack([(rows_ND - mean) / std, np.ones((len(rows_ND), 1))])

    root = np.sqrt(weight)[:, None]
    penalty = np.sqrt(ridge * weight.sum()) * np.eye(x.shape[1] + 1)[:-1]
    left = np.vstack([root * design(x), penalty])
    right = np.vstack([root * one_hot, np.zeros((x.shape[1], one_hot.shape[1]))])
    solution, *_ = np.linalg.lstsq(left, right, rcond=None)
    return design(new_MD) @ solution


def miou_by_loops(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Mean IoU of label maps pixel by pixel, over the classes that occur."""
    ious = []
    for label in range(CLASSES):
        both = either = 0
        for p, t in zip(predicted.ravel().tolist(), truth.ravel().tolist(), strict=True):
            if t != 255:
                both += p == label and t == label
                either += p == label or t == label
        if either:
            ious.append(100 * both / either)
    return sum(ious) / len(ious)
