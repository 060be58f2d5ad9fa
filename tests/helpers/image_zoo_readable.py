"""Readable files of the zoo: plain, odd, and of every kind that is converted."""

import struct
from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image

from tests.helpers.image_bytes import (
    Entry,
    Specimen,
    encoded,
    exif,
    interlaced_png,
    picture,
    pixels,
    stored_as,
    ycck_jpeg,
)


def good() -> Iterator[Entry]:
    """Readable as they are."""

    def read(name, content, kind, image=None):
        return name, content, Specimen(kind, 'read', pixels=pixels(image))

    for index, options in enumerate([
        dict(), dict(progressive=True), dict(optimize=True), dict(subsampling=0),
        dict(subsampling=1), dict(subsampling=2), dict(restart_marker_blocks=1),
        dict(restart_marker_rows=1), dict(keep_rgb=True), dict(comment=b'hello'),
    ]):  # fmt: skip
        yield read(f'form_{index}.jpg', encoded('JPEG', quality=90, **options), 'JPEG')
    for form, options in [
        ('PNG', {}), ('BMP', {}), ('PPM', {}), ('TIFF', {}), ('TIFF', dict(compression='tiff_lzw')),
        ('TIFF', dict(compression='tiff_deflate')), ('TIFF', dict(compression='packbits')),
        ('WEBP', {}), ('WEBP', dict(lossless=True)), ('JPEG2000', {}), ('AVIF', dict(quality=90)),
    ]:  # fmt: skip
        name = f'{form.lower()}_{"_".join(map(str, options.values()))}'
        kind = 'formats other than JPEG'
        yield read(f'{name}.png', encoded(form, **options), kind)
        yield read(f'wrong_{name}.jpg', encoded(form, **options), 'wrong extension')
    yield read('jpeg.gif', encoded('JPEG'), 'wrong extension')
    yield read('jpeg.PNG', encoded('JPEG'), 'wrong extension')
    yield read('interlaced.png', interlaced_png(), 'interlaced')
    for orientation in range(1, 9):
        for form in ('JPEG', 'PNG', 'WEBP', 'TIFF'):
            quality = {} if form == 'TIFF' else dict(quality=90)
            options = dict(image=stored_as(orientation), exif=exif(orientation), **quality)
            yield read(f'turned_{orientation}.{form.lower()}', encoded(form, **options), 'EXIF')
    for name, junk in [
        ('zeros', bytes(1000)),
        ('text', b'</body></html>\n'),
        ('jpeg', encoded('JPEG')),
    ]:
        yield read(f'behind_{name}.jpg', encoded('JPEG') + junk, 'garbage behind')
        yield read(f'behind_{name}.png', encoded('PNG') + junk, 'garbage behind')
    film = b'\0\2' + 1000 * b'\xff\xda\0\2'  # what starts scans, behind the end of the picture
    yield read('film.jpg', encoded('JPEG', progressive=True) + film, 'garbage behind')
    profile = np.random.default_rng(3).bytes(3000)
    yield read('profile.jpg', encoded('JPEG', icc_profile=profile), 'broken ICC profile')
    yield read('profile.png', encoded('PNG', icc_profile=profile), 'broken ICC profile')
    other = Image.new('RGB', picture().size, 'red')
    for name, form in [
        ('pair.jpg', 'MPO'), ('moves.png', 'PNG'), ('moves.webp', 'WEBP'), ('pages.tif', 'TIFF')
    ]:  # fmt: skip
        frames = dict(save_all=True, append_images=[other.copy()])  # saving leaves marks on them
        yield read(name, encoded(form, **frames), 'animated')


def sizes() -> Iterator[Entry]:
    """Odd sizes, all readable."""
    for width, height in [(1, 2), (1, 500), (500, 1), (2, 1), (3, 3), (20_000, 20), (20, 20_000)]:
        image = picture().resize((width, height))
        for form, extension in [('PNG', 'png'), ('JPEG', 'jpg')]:
            options = dict(quality=95, subsampling=0) if form == 'JPEG' else {}
            specimen = Specimen('odd size', 'read', pixels=pixels(image))
            yield f'{width}x{height}.{extension}', encoded(form, image, **options), specimen
    for mode, note in [
        ('RGB', 'a single pixel, enlarged'),
        ('L', 'L to RGB, a single pixel, enlarged'),
    ]:
        image = Image.new(mode, (1, 1), 77)
        specimen = Specimen('odd size', 'converted', note, pixels(image))
        yield f'1x1_{mode}.png', encoded('PNG', image), specimen


def damaged_metadata() -> Iterator[Entry]:
    """Pixels that are whole, under EXIF data that is not."""
    lying = encoded('JPEG', stored_as(6), exif=exif(6), quality=90)
    start = lying.index(b'Exif')
    upright = encoded('JPEG', exif=exif(1), quality=90)
    size = struct.unpack_from('>H', upright, start - 2)[0]
    kind, whole = 'corrupt EXIF', dict(pixels=pixels())
    cut = upright[: start - 2] + struct.pack('>H', 14) + upright[start : start + 12]
    cut += upright[start - 2 + size :]
    yield 'exif_cut.jpg', cut, Specimen(kind, 'read', **whole)
    zeros = upright[: start + 6] + bytes(size - 8) + upright[start - 2 + size :]
    yield 'exif_zeros.jpg', zeros, Specimen(kind, 'read', **whole)
    # A maker's name of a wrong type: Pillow can read it, and not write it anew.
    place = lying.index(struct.pack('>H', 0x010F), start)
    wrong = lying[: place + 2] + struct.pack('>HI', 5, 1) + lying[place + 8 :]
    yield 'exif_type.jpg', wrong, Specimen(kind, 'read', **whole)
    yield (
        'exif_orientation_99.jpg',
        encoded('JPEG', exif=exif(99), quality=90),
        Specimen(kind, 'read', **whole),
    )


def converted() -> Iterator[Entry]:
    """Readable, but not 8-bit RGB."""

    def entry(name, content, why, kind, image=None):
        return name, content, Specimen(kind, 'converted', f'{why} to RGB', pixels(image))

    grey, alpha = picture().convert('L'), Image.new('L', picture().size, 100)
    for form, extension in [
        ('JPEG', 'jpg'), ('PNG', 'png'), ('BMP', 'bmp'), ('PPM', 'pgm'), ('TIFF', 'tif'),
    ]:  # fmt: skip
        yield entry(f'grey.{extension}', encoded(form, grey), 'L', 'grey', grey)
    bits = picture().convert('1')
    for form, extension in [('PNG', 'png'), ('PPM', 'pbm.ppm'), ('TIFF', 'tif'), ('BMP', 'bmp')]:
        yield entry(f'bits.{extension}', encoded(form, bits), '1', '1 bit', bits)
    palette = picture().quantize(64)
    for index, options in enumerate(
        [{}, dict(transparency=3), dict(transparency=bytes(range(64)))]
    ):
        content = encoded('PNG', palette, **options)
        yield entry(f'palette_{index}.png', content, 'P', 'palette', palette)
    for name, mode, bands in [
        ('alpha', 'RGBA', [*picture().split(), alpha]),
        ('grey_alpha', 'LA', [grey, alpha]),
    ]:
        image = Image.merge(mode, bands)
        yield entry(f'{name}.png', encoded('PNG', image), mode, 'alpha', image)
    rgba = Image.merge('RGBA', [*picture().split(), alpha])
    yield entry('alpha.webp', encoded('WEBP', rgba, exact=True), 'RGBA', 'alpha', rgba)
    yield entry('alpha.tif', encoded('TIFF', rgba), 'RGBA', 'alpha', rgba)
    inks = picture().convert('CMYK')
    yield entry('inks.jpg', encoded('JPEG', inks, quality=90), 'CMYK', 'CMYK', inks)
    yield entry('inks.tif', encoded('TIFF', inks), 'CMYK', 'CMYK', inks)
    lab = Image.new('LAB', picture().size, (200, 128, 128))
    light = Image.new('RGB', picture().size, (194, 194, 194))
    yield entry('lab.tif', encoded('TIFF', lab), 'LAB', 'LAB', light)
    yield entry('ycck.jpg', ycck_jpeg(), 'CMYK', 'CMYK')
    for name, frames in [('still', {}), ('animated', dict(save_all=True, append_images=[grey]))]:
        yield entry(f'{name}.gif', encoded('GIF', palette, **frames), 'P', 'GIF', palette)
    deep = (np.asarray(grey).astype(np.uint16) << 8) + 255
    colour = (pixels()[:, :, ::-1].astype(np.uint16) << 8) + 255  # OpenCV writes BGR
    for extension, values, mode, image in [
        ('png', deep, 'I;16B', grey), ('tif', deep, 'I;16N', grey), ('pgm', deep, 'I;16B', grey),
        ('png', colour, 'RGB;16B', None), ('tif', colour, 'RGB;16N', None),
    ]:  # fmt: skip
        content = cv2.imencode(f'.{extension}', values)[1].tobytes()
        yield entry(f'deep_{values.ndim}.{extension}', content, mode, '16 bits', image)
