"""Loading an image file of any kind in a pipeline, as 8-bit BGR."""

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS
from torchvision.io import decode_jpeg

from .jpeg import START_OF_IMAGE, is_plain
from .reading import UnreadableImage, check_file, read_with_pillow


def read_image(path: str) -> tuple[np.ndarray, str]:
    """As :func:`.reading.read_with_pillow`, with the same pixels, but faster for the plain kind of
    JPEG.

    Raises:
        UnreadableImage: If the file cannot be decoded, with the reason.
    """
    rgb = read_plain_jpeg(path)
    return read_with_pillow(path) if rgb is None else (rgb, 'RGB')


def read_plain_jpeg(path: str) -> np.ndarray | None:
    """The pixels of a file that is a plain JPEG, see :func:`is_plain`, as Pillow would give them.

    Returns:
        uint8 RGB ``(H, W, 3)``; None if it is of another kind, damaged or not there.
    """
    try:
        check_file(path)
        with open(path, 'rb') as file:
            if file.read(2) != START_OF_IMAGE:
                return None
            file.seek(0)
            content = np.fromfile(file, np.uint8)
        if is_plain(content.data):
            return decode_jpeg(torch.from_numpy(content)).permute(1, 2, 0).numpy()
    except Exception:  # whatever is wrong, Pillow will say it
        return None
    return None


@TRANSFORMS.register_module()
class LoadAnyImage(BaseTransform):
    """Load an image file as uint8 BGR, strictly: a truncated file is an error, not a grey area.

    Reads JPEG, PNG, GIF, BMP, PPM, WebP, TIFF, JPEG 2000 and AVIF, whatever the file is called.
    Grey, palette, 16-bit, CMYK and images with alpha (which is dropped) are converted; EXIF
    orientation is applied; of an animation the first frame is taken.

    **Required keys:** ``img_path``, or a picture as ``img``, which is left as it is: mmpretrain's
    inferencers load pictures themselves. **Added keys:** ``img`` (H, W, 3) uint8 BGR,
    ``img_shape``, ``ori_shape``, and ``image_mode``, Pillow's name of what was found in the file.

    Raises:
        UnreadableImage: If the file cannot be decoded, with its path and the reason.
    """

    def transform(self, results: dict) -> dict:
        """Load ``results['img_path']``."""
        if 'img' in results:
            return results
        path = results['img_path']
        try:
            rgb, results['image_mode'] = read_image(path)
        except UnreadableImage as reason:
            raise UnreadableImage(
                f'Expected an image in {str(path)!r}, found that it cannot be read ({reason}); '
                'copy or unpack it again, or remove it.'
            ) from reason
        results['img'] = rgb[:, :, ::-1]
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        return results
