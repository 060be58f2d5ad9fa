"""Reading an image file of any kind as 8-bit BGR, or saying in one line why it cannot be."""

import re

import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS
from PIL import Image, ImageOps

from .jpeg import read_plain_jpeg

SIXTEEN_BIT_MODES = ('I', 'I;16', 'I;16B', 'I;16L')


class UnreadableImage(ValueError):
    """An image file that cannot be decoded; the message is the reason."""


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB of an image in any of Pillow's modes; 16-bit values keep their upper byte."""
    if image.mode in SIXTEEN_BIT_MODES:
        values = np.asarray(image).astype(np.int64) >> 8
        image = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    elif image.mode == 'P' and 'transparency' in image.info:
        image = image.convert('RGBA')
    return image.convert('RGB')


def stored_mode(file: Image.Image) -> str:
    """Pillow's name of the pixels of a file just opened: its mode, or where Pillow itself reduces
    16 bits to 8 (``RGB``, ``RGBA``, ``LA``), the raw mode, such as ``RGB;16B``."""
    deep = re.search(r'\w+;16\w*', str(getattr(file, 'tile', [])[:1]))
    return deep.group() if deep else file.mode


def read_image(path: str) -> tuple[np.ndarray, str]:
    """The pixels of an image file, uint8 RGB ``(H, W, 3)``, and Pillow's name of what was found.

    Raises:
        UnreadableImage: If the file cannot be decoded, with the reason.
    """
    rgb = read_plain_jpeg(path)
    if rgb is not None:
        return rgb, 'RGB'
    try:
        with Image.open(path) as file:
            mode = stored_mode(file)
            return np.array(to_rgb(ImageOps.exif_transpose(file))), mode
    except Exception as error:  # decoders of damaged files raise almost anything
        raise UnreadableImage(f'{type(error).__name__}: {error}') from error


@TRANSFORMS.register_module()
class LoadAnyImage(BaseTransform):
    """Load an image file as uint8 BGR, strictly: a truncated file is an error, not a grey area.

    Grey, palette, 16-bit, CMYK and images with alpha (which is dropped) are converted; EXIF
    orientation is applied; of an animation the first frame is taken.

    **Required keys:** ``img_path``. **Added keys:** ``img`` (H, W, 3) uint8 BGR, ``img_shape``,
    ``ori_shape``, and ``image_mode``, Pillow's name of what was found in the file.

    Raises:
        UnreadableImage: If the file cannot be decoded, with the reason.
    """

    def transform(self, results: dict) -> dict:
        """Load ``results['img_path']``."""
        rgb, results['image_mode'] = read_image(results['img_path'])
        results['img'] = rgb[:, :, ::-1]
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        return results
