"""Decoding the plain kind of JPEG, which nearly every photograph is, faster than Pillow does.

Pillow, OpenCV and torchvision all use libjpeg and give the same pixels. OpenCV does not tell that
a file is truncated; Pillow spends a third of the time on copies.
"""

import math
import struct
from collections.abc import Iterator

import numpy as np
import torch
from PIL import ExifTags, Image
from torchvision.io import decode_jpeg

FRAMES = (0xC0, 0xC1, 0xC2)  # markers of baseline, extended and progressive pictures
START_OF_IMAGE, START_OF_SCAN, APP1 = 0xFFD8, 0xDA, 0xE1


def read_plain_jpeg(path: str) -> np.ndarray | None:
    """The pixels of a file that is a plain JPEG, see :func:`is_plain`, as Pillow would give them.

    Returns:
        uint8 RGB ``(H, W, 3)``; None if the file is of another kind, damaged or not there.
    """
    try:
        content = np.fromfile(path, np.uint8)
        if is_plain(content.data):
            return decode_jpeg(torch.from_numpy(content)).permute(1, 2, 0).numpy()
    except Exception:  # whatever is wrong, Pillow will say it
        return None
    return None


def is_plain(content: memoryview) -> bool:
    """Whether a file is a JPEG of three components with 8 bits each, stored upright, and not so
    large that Pillow warns of a decompression bomb.

    Raises:
        ValueError, struct.error: If it is not an orderly JPEG.
    """
    plain = has_exif = False
    for marker, segment in segments(content):
        if marker in FRAMES:
            precision, height, width, components = struct.unpack_from('>BHHB', segment)
            fits = height * width <= (Image.MAX_IMAGE_PIXELS or math.inf)
            plain = (precision, components) == (8, 3) and fits
        elif marker == APP1:
            if has_exif or not is_upright(bytes(segment)):
                return False
            has_exif = segment[:4] == b'Exif'  # may go on in the next segment
    return plain


def segments(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Marker and content of every segment of a JPEG before its first scan.

    Raises:
        ValueError, struct.error: If it is not an orderly JPEG.
    """
    start, at = struct.unpack_from('>H', content)[0], 2
    while True:
        prefix, marker, length = struct.unpack_from('>BBH', content, at)
        if start != START_OF_IMAGE or prefix != 0xFF:
            raise ValueError('This is not an orderly JPEG.')
        if marker == START_OF_SCAN:
            return
        yield marker, content[at + 4 : at + 2 + length]
        at += 2 + length


def is_upright(segment: bytes) -> bool:
    """Whether an application segment of metadata asks for no rotation or reflection, as far as
    Pillow would heed it."""
    if segment.startswith(b'Exif'):
        exif = Image.Exif()
        exif.load(segment)
        return exif.get(ExifTags.Base.Orientation, 1) == 1
    return b'tiff:Orientation' not in segment
