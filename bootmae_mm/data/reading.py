"""Reading an image file of any kind as 8-bit RGB, or saying in one line why it cannot be: with
Pillow, and without the stack, so that checks start at once."""

import os
import re
import stat
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from .errors import DataError
from .jpeg import MAX_SCANS, has_few_scans

# Of Pillow's other formats, EPS starts another program, TGA has no mark to be known by, and most
# are hardly used.
FORMATS = ['JPEG', 'PNG', 'GIF', 'BMP', 'PPM', 'WEBP', 'TIFF', 'JPEG2000']
FORMATS += ['AVIF'] if find_spec('PIL.AvifImagePlugin') else []
# As many pixels as Pillow reads take less without compression, 16 bits, four channels.
MAX_BYTES = 2**31
SIXTEEN_BIT_MODES = ('I', 'I;16', 'I;16B', 'I;16L')
# What follows the mode of an image with 16 bits that has no value above 4095, as one of 12 bits has
# that was not scaled: of its upper bytes, which are kept, 16 steps of near black are left.
FEW_BITS = ' (at most 12 bits in use)'
UNKNOWN_RANGE = re.compile(r'\b(I;12|I;32|F\b)[\w;]*')
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadableImage(DataError):
    """An image file that cannot be decoded; the message is the reason."""


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB of an image in any of Pillow's modes; 16-bit values keep their upper byte."""
    if image.mode in SIXTEEN_BIT_MODES:
        image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    elif image.mode == 'P' and 'transparency' in image.info:
        image = image.convert('RGBA')
    return image.convert('RGB')


def upright(image: Image.Image) -> Image.Image:
    """The image turned as EXIF (or XMP) asks. Unlike Pillow's ``exif_transpose`` it does not write
    the EXIF anew, which fails where that is damaged."""
    image.load()  # this turns a TIFF, and forgets the orientation
    turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
    return image if turn is None else image.transpose(turn)


def stored_mode(file: Image.Image) -> str:
    """Pillow's name of the pixels of a file just opened: its mode, or where Pillow itself reduces
    16 bits to 8 (``RGB``, ``RGBA``, ``LA``), the raw mode, such as ``RGB;16B``.

    Raises:
        UnreadableImage: If the values have no known range: 12 or 32 bits, or floating point.
    """
    tile = str(getattr(file, 'tile', [])[:1])
    if unknown := UNKNOWN_RANGE.search(f'{file.mode} {tile}'):
        raise UnreadableImage(
            f'its pixels are stored as {unknown.group()}, of which it is not known what is white; '
            'store them with 8 or 16 bits'
        )
    deep = re.search(r'\w+;16\w*', tile)
    return deep.group() if deep else file.mode


def check_file(path: str) -> None:
    """Refuse what would block for ever or fill the memory when read.

    Raises:
        OSError: If there is no such file.
        UnreadableImage: If it is a named pipe, a socket or a device, or above 2 GiB.
    """
    status = os.stat(path)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise UnreadableImage('it is no file but a named pipe, a socket or a device')
    if status.st_size > MAX_BYTES:
        raise UnreadableImage(f'its {status.st_size} bytes are too many for an image')


def check_scans(path: str) -> None:
    """Refuse a JPEG that takes for ever to decode.

    Raises:
        UnreadableImage: If it has more than 100 scans.
    """
    with open(path, 'rb') as file:
        if not has_few_scans(file.read()):
            raise UnreadableImage(f'more than {MAX_SCANS} scans are too many for a JPEG')


def read_with_pillow(path: str | Path) -> tuple[np.ndarray, str]:
    """The pixels of an image file, uint8 RGB ``(H, W, 3)``, upright, and the name of what was
    found: Pillow's mode, and ``FEW_BITS`` where that is so.

    Raises:
        UnreadableImage: If the file cannot be decoded, with the reason.
    """
    try:
        check_file(path)
        with Image.open(path, formats=FORMATS) as file:
            mode = stored_mode(file)
            if file.format in ('JPEG', 'MPO'):
                check_scans(path)
            rgb = np.array(to_rgb(upright(file)))
    except UnreadableImage:
        raise
    except Exception as error:  # decoders of damaged files raise almost anything
        raise UnreadableImage(f'{type(error).__name__}: {error}') from error
    return rgb, mode + FEW_BITS * has_few_bits(rgb, mode)


def has_few_bits(rgb: np.ndarray, mode: str) -> bool:
    """Whether an image with 16 bits has no value above 4095, by its upper bytes."""
    return (mode in SIXTEEN_BIT_MODES or ';16' in mode) and int(rgb.max()) < 16


def upright_size(path: str | Path) -> tuple[int, int]:
    """Width and height of a picture as training sees it, turned as EXIF asks; nothing but
    TIFF is decoded.

    Raises:
        UnreadableImage: If the file is no image, with the reason.
    """
    try:
        check_file(path)
        with Image.open(path, formats=FORMATS) as file:
            if file.format == 'TIFF':  # Pillow's versions differ in what they do of themselves
                return upright(file).size
            width, height = file.size
            turned = file.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    except Exception as error:  # decoders of damaged files raise almost anything
        raise UnreadableImage(f'{type(error).__name__}: {error}') from error
    return (height, width) if turned else (width, height)
