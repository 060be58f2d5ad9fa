"""A tiny run, pictures, and what its encoder makes of them by a plain loop."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from bootmae_mm.engine.resume import changes
from tests.helpers.images import write_images
from tests.helpers.models import build_tiny, randomise
from tests.helpers.runs import run_config

MEAN, STD = [120.0, 110.0, 100.0], [50.0, 60.0, 70.0]  # so that none is mistaken for ImageNet's
IMAGENET = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
KINDS = ['class', 'mean', 'patches']


def some_pictures(folder: Path) -> Path:
    """Nine pictures of 40 × 36, one upright, one in a folder below, and a text."""
    write_images(folder, 9)
    write_images(folder / 'below', 1, seed=1)
    Image.open(folder / '000.png').transpose(Image.Transpose.ROTATE_90).save(folder / 'tall.png')
    (folder / 'readme.txt').write_text('pictures')
    return folder


def some_model() -> nn.Module:
    return randomise(build_tiny())


def some_run(folder: Path, model: nn.Module) -> Path:
    """What a pretraining of the model leaves: an older checkpoint, and the last one."""
    cfg = run_config(folder, folder)
    cfg.model.data_preprocessor.update(mean=MEAN, std=STD)
    meta = dict(training=changes.snapshot(cfg))
    torch.save(dict(state_dict=build_tiny().state_dict(), meta=meta), folder / 'epoch_9.pth')
    torch.save(dict(state_dict=model.state_dict(), meta=meta), folder / 'epoch_10.pth')
    return folder


def cut(path: Path) -> np.ndarray:
    """The middle 32 × 32 pixels, the shorter side being resized to 32, float64 ``(3, 32, 32)``."""
    with Image.open(path) as file:
        width, height = file.size
        scale = 32 / min(width, height)
        size = (32, int(height * scale)) if width < height else (int(width * scale), 32)
        resized = file.convert('RGB').resize(size, Image.Resampling.BILINEAR)
    left, top = round((size[0] - 32) / 2), round((size[1] - 32) / 2)
    return np.asarray(resized.crop((left, top, left + 32, top + 32))).transpose(2, 0, 1) * 1.0


def normalised(path: Path, mean: list[float], std: list[float]) -> torch.Tensor:
    mean, std = (np.array(x)[:, None, None] for x in (mean, std))
    return torch.from_numpy(((cut(path) - mean) / std).astype(np.float32))[None]


@torch.no_grad()
def plain(model: nn.Module, path: Path, block: int) -> dict[str, np.ndarray]:
    """Features of one picture by the encoder itself."""
    tokens, _ = model.backbone.encode(normalised(path, MEAN, STD), num_blocks=block)
    tokens = model.backbone.ln1(tokens)[0] if block == 3 else tokens[0]
    features = {'class': tokens[0], 'mean': sum(tokens[1:]) / 16, 'patches': tokens[1:]}
    return {kind: value.numpy() for kind, value in features.items()}


def close(found, expected) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-6)
