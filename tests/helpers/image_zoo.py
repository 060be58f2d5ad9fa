"""A zoo of broken, odd and hostile image files, and what is to become of each of them.

Everything is made of one small picture, from seeds. ``write_zoo`` writes the files and returns what
is expected of each. The readable ones are in ``image_zoo_readable``.
"""

import os
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tests.helpers.image_bytes import (
    Entry,
    Specimen,
    chunk,
    encoded,
    many_scans,
    noise,
    picture,
    pixels,
    png_header,
    tiff,
)
from tests.helpers.image_zoo_readable import converted, damaged_metadata, good, sizes

UNKNOWN = 'UnidentifiedImageError: cannot identify image file'


def huge_headers() -> Iterator[Entry]:
    """Decompression bombs: small files of enormous pictures."""
    side = 30_000
    jpeg = bytearray(encoded('JPEG'))
    at = jpeg.index(b'\xff\xc0')
    jpeg[at + 5 : at + 9] = struct.pack('>HH', side, side)
    gif = b'GIF89a' + struct.pack('<HHBBB', side, side, 0, 0, 0) + b',' + bytes(20) + b';'
    bmp = b'BM' + struct.pack('<IIIIiiHHIIiiII', 99, 0, 54, 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
    picture_tiff = bytearray(tiff(np.zeros((2, 2), np.uint8), 8, 1))
    for tag in (256, 257):
        place = picture_tiff.index(struct.pack('<HHI', tag, 4, 1))
        picture_tiff[place + 8 : place + 12] = struct.pack('<I', side)
    pixels_of_zeros = chunk(b'IDAT', zlib.compress(bytes(10**6)))
    webp = b'VP8X' + struct.pack('<IB3x', 10, 2)  # with an animation
    webp += 2 * (16383).to_bytes(3, 'little') + b'ANIM' + struct.pack('<IIH', 6, 0, 0)
    contents = {
        'png': png_header(side, side) + pixels_of_zeros,
        'jpg': bytes(jpeg),
        'gif': gif,
        'bmp': bmp + bytes(100),
        'tif': bytes(picture_tiff),
        'ppm': b'P6 %d %d 255\n' % (side, side) + bytes(100),
        'deep.png': png_header(2**31 - 1, 2**31 - 1) + pixels_of_zeros,
    }
    for name, content in contents.items():
        specimen = Specimen('decompression bomb', 'skipped', 'DecompressionBombError: Image size')
        yield f'bomb.{name}', content, specimen
    riff = b'RIFF' + struct.pack('<I', len(webp) + 4) + b'WEBP' + webp
    yield 'bomb.webp', riff, Specimen('decompression bomb', 'skipped', 'Error')


def other_bombs() -> Iterator[Entry]:
    """What else takes for ever, or all of the memory."""
    text = chunk(b'zTXt', b'Comment\0\0' + zlib.compress(bytes(10**7)))
    content = png_header(9, 9) + text + chunk(b'IDAT', zlib.compress(bytes(1000)))
    yield 'bomb_of_text.png', content, Specimen('decompression bomb', 'skipped', 'Error')
    scans = Specimen('decompression bomb', 'skipped', 'more than 100 scans are too many')
    yield 'scans.jpg', many_scans(5000), scans
    yield 'scans_grey.jpg', many_scans(5000, picture().convert('L')), scans
    large = Specimen('decompression bomb', 'skipped', 'its 4294967296 bytes are too many')
    for name, start in [('large.jpg', encoded('JPEG')), ('large.webp', encoded('WEBP'))]:

        def sparse(path: str, start: bytes = start) -> None:
            Path(path).write_bytes(start)
            os.truncate(path, 2**32)

        yield name, sparse, large


def no_images() -> Iterator[Entry]:
    """Something else under an image's name."""
    script = b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n{} loop\n'
    for name, content in {
        'empty.jpg': b'',
        'empty.png': b'',
        'empty.tif': b'',
        'byte.jpg': b'\xff',
        'page.jpg': b'<!DOCTYPE html><html><title>404 Not Found</title></html>\n',
        'text.png': b'no image\n',
        'drawing.png': b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>',
        'pdf.jpg': b'%PDF-1.4\n1 0 obj\n',
        'archive.jpg': b'PK\x03\x04' + bytes(100),
        'eps.jpg': script,  # Pillow would have Ghostscript run it
        'zeros.jpg': bytes(4096),
        'zeros.webp': bytes(4096),
        'random.jpg': np.random.default_rng(4).bytes(5000),
        'random.tga.jpg': np.random.default_rng(5).bytes(5000),
        'pointer.jpg': b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n',
    }.items():
        yield name, content, Specimen('no image', 'skipped', UNKNOWN)
    for form, extension in [('JPEG', 'jpg'), ('PNG', 'png'), ('GIF', 'gif'), ('WEBP', 'webp')]:
        specimen = Specimen('garbage before', 'skipped', UNKNOWN)
        yield f'before.{extension}', b'HTTP/1.1 200 OK\r\n\r\n' + encoded(form), specimen
    no_pixels = png_header(9, 9) + chunk(b'IEND', b'')
    yield 'no_pixels.png', no_pixels, Specimen('no image', 'skipped', 'Error')


def unknown_ranges() -> Iterator[Entry]:
    """Images of which nobody can say how bright they are."""
    unknown = 'of which it is not known what is white; store them with 8 or 16 bits'
    values = np.linspace(0, 1, 60).reshape(6, 10)
    for name, array, bits, form in [
        ('float.tif', values.astype('<f4'), 32, 3),
        ('int.tif', (values * (2**31 - 1)).astype('<i4'), 32, 2),
        ('twelve.tif', np.zeros((6, 15), np.uint8), 12, 1),
    ]:
        content = tiff(array, bits, form)
        if bits == 12:  # ten pixels of 12 bits take 15 bytes
            content = content.replace(
                struct.pack('<HHII', 256, 4, 1, 15), struct.pack('<HHII', 256, 4, 1, 10)
            )
        yield name, content, Specimen('unknown range', 'skipped', unknown)
    yield 'float.ppm', b'Pf\n2 2\n-1.0\n' + bytes(16), Specimen('unknown range', 'skipped', unknown)


FORMS = {
    'jpg': ('JPEG', dict(quality=95)),
    'prog.jpg': ('JPEG', dict(quality=95, progressive=True)),
    'png': ('PNG', {}),
    'gif': ('GIF', {}),
    'bmp': ('BMP', {}),
    'ppm': ('PPM', {}),
    'tif': ('TIFF', {}),
    'webp': ('WEBP', dict(lossless=True)),
    'jp2.png': ('JPEG2000', {}),
    'avif.png': ('AVIF', {}),
}


def truncated() -> Iterator[Entry]:
    """Cut off at random bytes."""
    rng = np.random.default_rng(6)
    for extension, (form, options) in FORMS.items():
        content = encoded(form, noise(), **options)
        for index in range(6):
            # JPEG 2000 is made to be read in parts; the end of some formats is not needed.
            most = {'JPEG2000': 150}.get(form, int(0.9 * len(content)))
            cut = content[: int(rng.integers(1, most))]
            yield f'cut_{index}.{extension}', cut, Specimen('truncated', 'skipped', 'rror')
    for length in (1, 2):
        cut = encoded('JPEG')[:-length]
        yield f'end_{length}.jpg', cut, Specimen('truncated', 'skipped', 'truncated')


def flipped() -> Iterator[Entry]:
    """Bits flipped at random; and a range of zeros, as after a power cut, where that is told."""
    rng = np.random.default_rng(7)
    for extension, (form, options) in FORMS.items():
        content = encoded(form, **options)
        for index in range(6):
            changed = bytearray(content)
            for place in rng.integers(0, len(content), rng.integers(1, 6)):
                changed[place] ^= 1 << int(rng.integers(8))
            yield f'flip_{index}.{extension}', bytes(changed), Specimen('bit flips', 'either')
    content = encoded('PNG', noise())
    zeros = content[:1500] + bytes(1000) + content[2500:]
    yield 'zeros_inside.png', zeros, Specimen('zeros inside', 'skipped', 'Error')


def no_files() -> Iterator[Entry]:
    """Links, pipes and the like."""

    def link(target: str) -> Callable[[str], None]:
        return lambda path: os.symlink(target, path)

    def without_rights(path: str) -> None:
        Path(path).write_bytes(encoded('JPEG'))
        os.chmod(path, 0)

    def listen(path: str) -> None:
        with socket.socket(socket.AF_UNIX) as server:  # the path of a socket must be short
            here = os.open('.', os.O_RDONLY)
            os.chdir(os.path.dirname(path))
            try:
                server.bind(os.path.basename(path))
            finally:
                os.fchdir(here)
                os.close(here)

    special = Specimen('pipe, socket, device', 'skipped', 'a named pipe, a socket or a device')
    yield 'pipe.jpg', os.mkfifo, special
    yield 'link_to_pipe.png', link('pipe.jpg'), special
    yield 'socket.jpg', listen, special
    yield 'zero.jpg', link('/dev/zero'), special
    yield 'null.png', link('/dev/null'), special
    missing = Specimen('broken link', 'skipped', 'FileNotFoundError')
    yield 'nowhere.jpg', link('nothing/there.jpg'), missing
    yield 'pipe_s.jpg', link('gone.jpg'), missing
    loop = Specimen('link loop', 'skipped', 'Too many levels of symbolic links')
    yield 'itself.jpg', link('itself.jpg'), loop
    yield 'loop_a.jpg', link('loop_b.jpg'), loop
    yield 'loop_b.jpg', link('loop_a.jpg'), loop
    if os.path.exists('/proc/self/mem'):  # which fails to be read at 0, as a bad sector does
        bad_sector = Specimen('I/O error', 'skipped', r'\[Errno 5\]')
        yield 'memory.jpg', link('/proc/self/mem'), bad_sector
    for_root = Specimen('no rights', 'read', pixels=pixels())  # whom bits do not stop
    forbidden = Specimen('no rights', 'skipped', 'PermissionError')
    yield 'forbidden.jpg', without_rights, forbidden if os.geteuid() else for_root


def odd_names() -> Iterator[Entry]:
    """Of files that are reported, as they are empty."""
    for name in [
        'tab\there.jpg', 'line\nend.jpg', 'line end.jpg', 'carriage\rreturn.jpg', r'line\nend.jpg',
        'two  spaces.jpg', 'two spaces.jpg', ' first.jpg', os.fsdecode(b'latin\xe9.jpg'),
        os.fsdecode(b'\xff\xfe.jpg'), 'é.jpg', 'e\u0301.jpg', '猫.jpg', '\U0001f408.jpg',
        '\u202egnp.jpg', '-rf.jpg', '*.jpg', '%s{0}.jpg', '\x1b[31m.jpg', '\u2028.jpg',
        f'{"long" * 60}.jpg', "quote'\".jpg", ' .jpg',
    ]:  # fmt: skip
        yield name, b'', Specimen('odd name', 'skipped', UNKNOWN)


GROUPS = (
    good, sizes, damaged_metadata, converted, huge_headers, other_bombs, no_images, unknown_ranges,
    truncated, flipped, no_files, odd_names,
)  # fmt: skip


def write_zoo(folder: Path) -> dict[str, Specimen]:
    """Write all files, each group into a folder of its own, and folders that look like files.

    Returns:
        What is expected of each path.
    """
    zoo = {}
    for group in GROUPS:
        place = folder / group.__name__
        place.mkdir(parents=True)
        for name, content, specimen in group():
            path = os.path.join(place, name)
            assert path not in zoo, path
            if isinstance(content, bytes):
                with open(path, 'wb') as file:
                    file.write(content)
            else:
                content(path)
            zoo[path] = specimen
    (folder / 'folder.jpg').mkdir()
    (folder / 'folder.jpg/round.png').symlink_to(folder)
    return zoo
