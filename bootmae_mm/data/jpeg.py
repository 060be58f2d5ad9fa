"""Decoding the plain kind of JPEG, which nearly every photograph is, faster than Pillow does.

Pillow, OpenCV and torchvision all use libjpeg and give the same pixels. OpenCV does not tell that
a file is truncated; Pillow spends a third of the time on copies.
"""

import math
import re
import struct
from collections.abc import Iterator

from PIL import ExifTags, Image

BASELINE, EXTENDED, PROGRESSIVE = FRAMES = (0xC0, 0xC1, 0xC2)  # markers
START_OF_IMAGE = b'\xff\xd8'
END_OF_IMAGE, START_OF_SCAN, APP1 = 0xD9, 0xDA, 0xE1
MARKER = re.compile(rb'\xff[^\x00\xd0-\xd7\xff]')  # the others are parts of a scan
MAX_SCANS = 100  # encoders write some ten


def is_plain(content: memoryview) -> bool:
    """Whether a file is a JPEG of three components with 8 bits each, stored upright, not so large
    that Pillow warns of a decompression bomb, and of 100 scans at most.

    Raises:
        ValueError, struct.error: If it is not an orderly JPEG.
    """
    plain = has_exif = progressive = False
    for marker, segment in segments(content):
        if marker in FRAMES:
            precision, height, width, components = struct.unpack_from('>BHHB', segment)
            fits = height * width <= (Image.MAX_IMAGE_PIXELS or math.inf)
            plain = (precision, components) == (8, 3) and fits
            progressive = marker == PROGRESSIVE
        elif marker == APP1:
            if has_exif or not is_upright(bytes(segment)):
                return False
            has_exif = segment[:4] == b'Exif'  # may go on in the next segment
    return plain and (not progressive or has_few_scans(content))


def has_few_scans(content: bytes | memoryview) -> bool:
    """Whether a JPEG has 100 scans at most; what follows its end, such as a film, does not count.

    A progressive one of 100 kB can hold thousands, and each passes over the whole picture.
    """
    scans, at = 0, len(START_OF_IMAGE)
    while scans <= MAX_SCANS and (match := MARKER.search(content, at)):
        marker, at = content[match.end() - 1], match.end()
        if marker == END_OF_IMAGE:
            break
        scans += marker == START_OF_SCAN
        at += int.from_bytes(content[at : at + 2], 'big')
    return scans <= MAX_SCANS


def segments(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Marker and content of every segment of a JPEG before its first scan.

    Raises:
        ValueError, struct.error: If it is not an orderly JPEG.
    """
    start, at = content[:2], 2
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
