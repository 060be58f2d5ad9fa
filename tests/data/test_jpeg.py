"""Plain JPEGs are decoded without Pillow, to the pixels and errors that Pillow gives."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from bootmae_mm.data.jpeg import is_plain
from bootmae_mm.data.loading import read_image, read_plain_jpeg
from bootmae_mm.data.reading import UnreadableImage, to_rgb

ORIENTATION = 0x0112


def picture() -> Image.Image:
    """61 × 45 pixels of smooth random colours, so that sizes are no multiples of blocks."""
    small = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((61, 45), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, 'jpeg', **options)
    return file.getvalue()


def exif(orientation: int | None) -> Image.Exif:
    data = Image.Exif()
    data[0x010F] = 'maker'
    if orientation is not None:
        data[ORIENTATION] = orientation
    return data


def with_segment(content: bytes, data: bytes) -> bytes:
    """A JPEG with another application segment 1 at its beginning."""
    return content[:2] + b'\xff\xe1' + (len(data) + 2).to_bytes(2, 'big') + data + content[2:]


def xmp(orientation: int) -> bytes:
    return b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="%d"/>' % orientation


PLAIN = {
    'half the chroma': jpeg(picture()),
    'all of the chroma': jpeg(picture(), subsampling=0, quality=95),
    'progressive': jpeg(picture(), progressive=True),
    'optimised': jpeg(picture(), optimize=True),
    'RGB inside': jpeg(picture(), keep_rgb=True),
    'a comment and a profile': jpeg(picture(), comment=b'hello', icc_profile=bytes(70_000)),
    'EXIF, upright': jpeg(picture(), exif=exif(1)),
    'EXIF without orientation': jpeg(picture(), exif=exif(None)),
    'XMP without orientation': with_segment(jpeg(picture()), xmp(1).replace(b'Orient', b'')),
    'rubbish behind it': jpeg(picture()) + bytes(1000),
}
OTHER = {
    'grey': jpeg(picture().convert('L')),
    'CMYK': jpeg(picture().convert('CMYK')),
    **{f'EXIF orientation {n}': jpeg(picture(), exif=exif(n)) for n in range(2, 9)},
    'XMP orientation': with_segment(jpeg(picture()), xmp(6)),
    'EXIF in two parts': with_segment(jpeg(picture(), exif=exif(1)), exif(1).tobytes()),
    'a byte before a segment': jpeg(picture())[:2] + b'\xff' + jpeg(picture())[2:],
}


def write(folder: Path, content: bytes) -> str:
    path = folder / 'a.jpg'
    path.write_bytes(content)
    return str(path)


def by_pillow(path: str) -> np.ndarray | str:
    """Pixels, or what is wrong."""
    try:
        with Image.open(path) as file:
            return np.array(to_rgb(ImageOps.exif_transpose(file)))
    except Exception as error:
        return f'{type(error).__name__}: {error}'


@pytest.mark.parametrize('kind', PLAIN)
def test_plain_files_have_pillow_s_pixels_without_pillow(tmp_path, monkeypatch, kind):
    path = write(tmp_path, PLAIN[kind])
    expected = by_pillow(path)
    monkeypatch.delattr(Image, 'open')
    found, mode = read_image(path)
    assert mode == 'RGB'
    assert found.shape == (45, 61, 3)
    assert found.flags.c_contiguous and found.flags.writeable
    assert np.array_equal(found, expected)


@pytest.mark.parametrize('kind', OTHER)
def test_other_files_go_through_pillow(tmp_path, kind):
    path = write(tmp_path, OTHER[kind])
    assert read_plain_jpeg(path) is None
    found, _ = read_image(path)
    assert np.array_equal(found, by_pillow(path))
    assert found.flags.writeable


@pytest.mark.parametrize(('orientation', 'shape'), [(1, (45, 61)), (3, (45, 61)), (6, (61, 45))])
def test_rotated_photographs_come_upright(tmp_path, orientation, shape):
    found, _ = read_image(write(tmp_path, jpeg(picture(), exif=exif(orientation))))
    turned = np.rot90(found, {1: 0, 3: 2, 6: 1}[orientation])
    assert found.shape[:2] == shape
    assert np.abs(turned.astype(int) - np.asarray(picture())).mean() < 8


def test_twelve_bits_are_not_plain():
    content = bytearray(PLAIN['half the chroma'])
    frame = content.index(b'\xff\xc0')
    assert is_plain(memoryview(content))
    content[frame + 4] = 12
    assert not is_plain(memoryview(content))


def test_a_decompression_bomb_is_left_to_pillow(tmp_path, monkeypatch):
    path = write(tmp_path, PLAIN['half the chroma'])
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 45 * 61)
    assert read_plain_jpeg(path) is not None
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 45 * 61 // 2 - 1)
    with pytest.raises(UnreadableImage, match='DecompressionBombError'):
        read_image(path)
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', None)
    assert read_plain_jpeg(path) is not None


@pytest.mark.parametrize('kind', ['half the chroma', 'progressive', 'EXIF, upright'])
def test_a_truncated_file_is_an_error_wherever_it_ends(tmp_path, kind):
    content = PLAIN[kind]
    for length in [*range(0, len(content), 37), len(content) - 2, len(content) - 1]:
        with pytest.raises(UnreadableImage):
            read_image(write(tmp_path, content[:length]))


@pytest.mark.parametrize('kind', ['half the chroma', 'progressive', 'EXIF, upright'])
@pytest.mark.filterwarnings('ignore:Corrupt EXIF data')
def test_damaged_files_give_what_pillow_gives(tmp_path, kind):
    rng = np.random.default_rng(0)
    decoded = 0
    for _ in range(60):
        content = bytearray(PLAIN[kind])
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            content[place] = rng.integers(256)
        path = write(tmp_path, content)
        expected = by_pillow(path)
        if isinstance(expected, str):
            with pytest.raises(UnreadableImage) as error:
                read_image(path)
            assert str(error.value) == expected
        else:
            decoded += 1
            assert np.array_equal(read_image(path)[0], expected)
    assert 5 < decoded < 60, 'some are readable all the same'
