"""JPEG files like ImageNet's, made up from a seed."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw


def write_photographs(
    folder: Path, count: int, size: tuple[int, int] = (500, 375), seed: int = 0
) -> list[int]:
    """``count`` JPEG files of ``size`` (width, height), quality 90; returns their sizes in bytes.

    At 500 × 375 they have some 100 kB, as ImageNet's have.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    paths = [folder / f'{index:04}.jpg' for index in range(count)]
    for path in paths:
        photograph(rng, *size).save(path, quality=90)
    return [path.stat().st_size for path in paths]


def photograph(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Shapes before a background, both with texture and grain."""
    image = Image.fromarray(to_bytes(120 + texture(rng, width, height)))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        left, top = rng.integers(0, (width, height))
        right, bottom = rng.integers((left, top), (left + width // 3, top + height // 3)) + 1
        form = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        form((left, top, right, bottom), fill=tuple(rng.integers(0, 256, 3).tolist()))
    grain = 12 * rng.standard_normal((height, width, 1), np.float32)
    return Image.fromarray(to_bytes(image + 0.35 * texture(rng, width, height) + grain))


def texture(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Noise at scales from half of the picture to a few pixels, the fine ones weaker and all of
    them mostly grey; float32 ``(height, width, 3)`` around 0."""
    total = np.zeros((height, width, 3), np.float32)
    for level in range(1, 8):
        shape = (max(2, 2**level * height // width), 2**level)
        noise = rng.standard_normal((*shape, 3), np.float32)
        noise = 0.35 * noise + noise.mean(2, keepdims=True)
        total += 40 / level * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return total


def to_bytes(values: np.ndarray) -> np.ndarray:
    """Rounded towards zero and clipped to 0 to 255, uint8."""
    return values.clip(0, 255).astype(np.uint8)
