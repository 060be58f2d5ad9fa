"""Bytes of image files, made of one small picture, and what is expected of a file."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

ROWS, COLUMNS = 45, 61
ORIENTATION = 0x0112
TOLERANCE = 12  # of the mean difference from the expected picture, in grey levels of 255


class Specimen(NamedTuple):
    """What is expected of a file.

    ``outcome`` is 'read', 'converted', 'skipped', or after random flips 'either'; ``why`` the whole
    note of a conversion, or a regular expression for the reason of a skipped file; ``pixels`` the
    RGB that must come out, to within ``TOLERANCE``.
    """

    kind: str
    outcome: str
    why: str = ''
    pixels: np.ndarray | None = None


# File name, its content or what makes it at a path, and what is expected.
Entry = tuple[str, bytes | Callable[[str], None], Specimen]


def picture() -> Image.Image:
    """The one picture."""
    small = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((COLUMNS, ROWS), Image.Resampling.BICUBIC)


def pixels(image: Image.Image | None = None) -> np.ndarray:
    return np.asarray((image or picture()).convert('RGB'))


def noise(size: int = 40) -> Image.Image:
    """A picture that takes many bytes, so that most of a file is pixels."""
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (size, size, 3), np.uint8))


def encoded(form: str, image: Image.Image | None = None, **options) -> bytes:
    """The bytes of a file of one of Pillow's formats."""
    file = io.BytesIO()
    (image or picture()).save(file, form, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def png_header(width: int, height: int, interlaced: int = 0) -> bytes:
    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, interlaced)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header)


def segment(marker: int, data: bytes) -> bytes:
    """A segment of a JPEG."""
    return struct.pack('>BBH', 0xFF, marker, len(data) + 2) + data


def exif(orientation: int) -> Image.Exif:
    data = Image.Exif()
    data[0x010F] = 'a maker of cameras'
    data[ORIENTATION] = orientation
    return data


def stored_as(orientation: int) -> Image.Image:
    """The picture lying as a camera stores it under an EXIF orientation."""
    rgb = pixels()
    lying = {
        1: rgb,
        2: rgb[:, ::-1],
        3: rgb[::-1, ::-1],
        4: rgb[::-1],
        5: rgb.transpose(1, 0, 2),
        6: np.rot90(rgb),
        7: rgb[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(rgb, -1),
    }[orientation]
    return Image.fromarray(np.ascontiguousarray(lying))


def interlaced_png() -> bytes:
    """The seven passes of Adam7, written by hand: Pillow reads them only."""
    rgb, lines = pixels(), b''
    for top, left, down, right in [
        (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
        (1, 0, 2, 1),
    ]:  # fmt: skip
        lines += b''.join(b'\0' + row.tobytes() for row in rgb[top::down, left::right])
    data = chunk(b'IDAT', zlib.compress(lines)) + chunk(b'IEND', b'')
    return png_header(COLUMNS, ROWS, interlaced=1) + data


def ycck_jpeg() -> bytes:
    """A CMYK JPEG whose inks are stored as luminance and chroma, said by Adobe's mark."""
    luminance = ImageOps.invert(picture()).convert('YCbCr').split()
    inks = [ImageOps.invert(band) for band in luminance]  # files have inks inverted
    content = encoded('JPEG', Image.merge('CMYK', [*inks, Image.new('L', picture().size)]))
    assert content.count(b'Adobe') == 1
    at = content.index(b'Adobe')
    return content[: at + 11] + b'\x02' + content[at + 12 :]


def many_scans(count: int, image: Image.Image | None = None) -> bytes:
    """A progressive JPEG whose last scan is there many times."""
    content = encoded('JPEG', image, progressive=True)
    last = content.rindex(b'\xff\xda')
    return content[:last] + count * content[last:-2] + content[-2:]


def tiff(values: np.ndarray, bits: int, sample_format: int) -> bytes:
    """A grey TIFF without compression. ``sample_format``: 1 unsigned, 2 signed, 3 floating."""
    rows, columns = values.shape
    data = values.tobytes()
    tags = [
        (256, columns), (257, rows), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1),
        (278, rows), (279, len(data)), (339, sample_format),
    ]  # fmt: skip
    entries = b''.join(struct.pack('<HHII', tag, 4, 1, value) for tag, value in tags)
    directory = struct.pack('<H', len(tags)) + entries + bytes(4)
    return b'II*\0' + struct.pack('<I', 8 + len(data)) + data + directory
