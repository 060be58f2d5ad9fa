"""Image files chosen, read and cut to a model's size, without any randomness."""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..data.cropping import crop_flip, middle_box
from ..data.loading import read_image
from ..data.reading import UnreadableImage
from ..data.search import find_images, warn

MAX_TRIES = 10  # files looked at in place of one that cannot be read


class Picture(NamedTuple):
    """An image file and its pixels, uint8 RGB ``(H, W, 3)``."""

    path: str
    pixels: np.ndarray


def find_files(paths: Sequence[str]) -> list[str]:
    """Image files: each path itself, or where it is a folder, all images in it and below.

    Raises:
        ValueError: If there is nothing at a path, or no image in a folder.
    """
    files = []
    for path in paths:
        if os.path.isdir(path):
            files += [os.path.join(path, name) for name in find_images(path)]
        elif os.path.exists(path):
            files.append(path)
        else:
            raise ValueError(
                f'Expected image files or folders of them, found nothing at {path!r}; correct the '
                'path.'
            )
    return files


def read_evenly(path_of: Callable[[int], str], total: int, count: int) -> list[Picture]:
    """Read some of many files, taken evenly.

    In place of a file that cannot be read, which is logged, one of the next ten is taken.

    Args:
        path_of: The path of a file by its number, from 0.
        total: Number of files.
        count: Number of files to read, if there are so many.

    Raises:
        ValueError: If none of them can be read, with the reason of the last.
    """
    bounds = np.linspace(0, total, min(count, total) + 1).round().astype(int).tolist()
    pictures, reason = [], ''
    for first, end in zip(bounds[:-1], bounds[1:], strict=True):
        for number in range(first, min(end, first + MAX_TRIES)):
            path = path_of(number)
            try:
                pictures.append(Picture(path, read_image(path)[0]))
                break
            except UnreadableImage as error:
                reason = f'{path!r} cannot be read: {error}'
                warn(f'No picture is drawn of an image file: {reason}.')
    if not pictures:
        raise ValueError(
            f'Expected readable images among {total} files, found none ({reason}); give others.'
        )
    return pictures


def centre_crop(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The largest box of the shape of ``size`` (height, width) in the middle of an image, resized
    to it as in pretraining; uint8 ``(*size, 3)``."""
    ratio = size[1] / size[0]
    return crop_flip(pixels, middle_box(pixels.shape[:2], (ratio, ratio)), size, flip=False)


def centre_crops(pictures: Sequence[Picture], size: tuple[int, int]) -> np.ndarray:
    """Uint8 RGB ``(B, *size, 3)``."""
    return np.stack([centre_crop(picture.pixels, tuple(size)) for picture in pictures])


def normalise(model: nn.Module, pixels_BHW3: np.ndarray) -> Tensor:
    """What a model's data preprocessor makes of RGB pictures: ``(B, 3, H, W)`` on its device."""
    bgr_BHW3 = np.ascontiguousarray(pixels_BHW3[..., ::-1])  # as the pipelines hand pictures over
    inputs_B3HW = torch.from_numpy(bgr_BHW3).permute(0, 3, 1, 2)
    return model.data_preprocessor(dict(inputs=inputs_B3HW, data_samples=None))['inputs']
