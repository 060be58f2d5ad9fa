"""Image files of every kind: the values that come out, and the reason where none can."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from bootmae_mm.data.loading import LoadAnyImage
from bootmae_mm.data.reading import FEW_BITS, UnreadableImage, read_with_pillow, upright_size


def load(path: Path) -> dict:
    results = LoadAnyImage()(dict(img_path=str(path)))
    image = results['img']
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert results['img_shape'] == results['ori_shape'] == image.shape[:2]
    return results


def random_values(*shape: int, dtype=np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def thrice(values: np.ndarray) -> np.ndarray:
    """Grey values as three channels."""
    return np.stack([values] * 3, axis=-1)


class TestModes:
    @pytest.mark.parametrize('extension', ['png', 'bmp', 'ppm', 'tiff'])
    def test_rgb_comes_as_bgr(self, tmp_path, extension):
        rgb = random_values(3, 5, 3)
        Image.fromarray(rgb).save(tmp_path / f'a.{extension}')
        found = load(tmp_path / f'a.{extension}')
        assert found['image_mode'] == 'RGB'
        assert np.array_equal(found['img'], rgb[:, :, ::-1])

    def test_a_red_jpeg_is_red(self, tmp_path):
        Image.new('RGB', (8, 16), (255, 0, 0)).save(tmp_path / 'a.jpg')
        found = load(tmp_path / 'a.jpg')
        assert found['img_shape'] == (16, 8)
        assert np.abs(found['img'].astype(int) - (0, 0, 255)).max() <= 2

    @pytest.mark.parametrize('extension', ['png', 'tiff', 'pgm'])
    def test_grey(self, tmp_path, extension):
        grey = random_values(3, 5)
        Image.fromarray(grey).save(tmp_path / f'a.{extension}')
        found = load(tmp_path / f'a.{extension}')
        assert found['image_mode'] == 'L'
        assert np.array_equal(found['img'], thrice(grey))

    def test_black_and_white(self, tmp_path):
        bits = random_values(3, 5) > 127
        Image.fromarray(bits).save(tmp_path / 'a.png')
        found = load(tmp_path / 'a.png')
        assert found['image_mode'] == '1'
        assert np.array_equal(found['img'], thrice(bits * np.uint8(255)))

    @pytest.mark.parametrize('transparency', [None, 1, bytes([255, 0, 128])])
    @pytest.mark.filterwarnings('error::UserWarning')
    def test_palette(self, tmp_path, transparency):
        """Colours stay as they are under transparency, and Pillow has nothing to warn of."""
        colours = np.array([[255, 0, 0], [1, 200, 3], [10, 20, 30]], np.uint8)
        indices = np.array([[0, 1, 2, 1], [2, 2, 0, 1]], np.uint8)
        image = Image.fromarray(indices).convert('P')
        image.putpalette(colours.tobytes())
        options = {} if transparency is None else dict(transparency=transparency)
        image.save(tmp_path / 'a.png', **options)
        found = load(tmp_path / 'a.png')
        assert found['image_mode'] == 'P'
        assert np.array_equal(found['img'], colours[indices][:, :, ::-1])

    def test_alpha_is_dropped(self, tmp_path):
        rgba = random_values(3, 5, 4)
        rgba[0, :, 3] = 0
        Image.fromarray(rgba).save(tmp_path / 'a.png')
        found = load(tmp_path / 'a.png')
        assert found['image_mode'] == 'RGBA'
        assert np.array_equal(found['img'], rgba[:, :, 2::-1])

    def test_grey_with_alpha(self, tmp_path):
        values = random_values(3, 5, 2)
        values[0, :, 1] = 0
        Image.merge('LA', [Image.fromarray(v) for v in np.moveaxis(values, 2, 0)]).save(
            tmp_path / 'a.png'
        )
        found = load(tmp_path / 'a.png')
        assert found['image_mode'] == 'LA'
        assert np.array_equal(found['img'], thrice(values[:, :, 0]))

    @pytest.mark.parametrize(
        ('ink', 'bgr'),
        [
            ((0, 255, 255, 0), (0, 0, 255)),  # magenta and yellow: red
            ((0, 0, 0, 0), (255, 255, 255)),
            ((0, 0, 0, 255), (0, 0, 0)),
            ((255, 0, 0, 128), (127, 127, 0)),  # a darker cyan
        ],
    )
    def test_cmyk_jpeg(self, tmp_path, ink, bgr):
        """R = 255 · (1 − C) · (1 − K), with inks from 0 to 1."""
        Image.new('CMYK', (16, 8), ink).save(tmp_path / 'a.jpg', quality=100)
        found = load(tmp_path / 'a.jpg')
        assert found['image_mode'] == 'CMYK'
        assert found['img'].shape == (8, 16, 3)
        assert np.abs(found['img'].astype(int) - bgr).max() <= 3


class TestSixteenBits:
    @pytest.mark.parametrize('extension', ['png', 'tiff', 'pgm'])
    def test_grey_keeps_its_upper_byte(self, tmp_path, extension):
        values = random_values(3, 5, dtype=np.uint16)
        values[0, :3] = 0xABCD, 0x00FF, 0xFFFF
        cv2.imwrite(str(tmp_path / f'a.{extension}'), values)
        found = load(tmp_path / f'a.{extension}')
        assert found['img'][0, :3, 0].tolist() == [0xAB, 0x00, 0xFF]
        assert np.array_equal(found['img'], thrice((values >> 8).astype(np.uint8)))
        assert '16' in found['image_mode']

    @pytest.mark.parametrize('byte_order', ['<', '>'])
    def test_tiff_of_either_byte_order(self, tmp_path, byte_order):
        """A TIFF written by hand: one strip of 2 × 1 pixels of 16 bits."""
        tags = [  # number, type (3: 16 bits, 4: 32 bits), value
            (256, 3, 2), (257, 3, 1), (258, 3, 16), (259, 3, 1), (262, 3, 1),
            (273, 4, 8), (277, 3, 1), (278, 3, 1), (279, 4, 4),
        ]  # fmt: skip
        file = (b'II' if byte_order == '<' else b'MM') + struct.pack(f'{byte_order}HI', 42, 12)
        file += struct.pack(f'{byte_order}HH', 0xABCD, 0x1200)
        file += struct.pack(f'{byte_order}H', len(tags))
        for number, kind, value in tags:
            form, rest = ('H', 2) if kind == 3 else ('I', 0)
            file += struct.pack(f'{byte_order}HHI{form}{rest}x', number, kind, 1, value)
        (tmp_path / 'a.tif').write_bytes(file + bytes(4))
        found = load(tmp_path / 'a.tif')
        assert found['img'].tolist() == [[[0xAB] * 3, [0x12] * 3]]
        assert found['image_mode'].startswith('I;16')

    @pytest.mark.parametrize(
        ('extension', 'channels', 'mode'),
        [('png', 3, 'RGB;16'), ('tiff', 3, 'RGB;16'), ('png', 4, 'RGBA;16')],
    )
    def test_colour_keeps_its_upper_byte_and_is_told_of(self, tmp_path, extension, channels, mode):
        values = random_values(3, 5, channels, dtype=np.uint16)  # cv2 writes BGR
        cv2.imwrite(str(tmp_path / f'a.{extension}'), values)
        found = load(tmp_path / f'a.{extension}')
        assert np.array_equal(found['img'], (values[:, :, :3] >> 8).astype(np.uint8))
        assert found['image_mode'].startswith(mode)

    @pytest.mark.parametrize('extension', ['png', 'tiff'])
    @pytest.mark.parametrize('channels', [1, 3])
    def test_twelve_bits_that_were_not_scaled_are_told_of(self, tmp_path, extension, channels):
        values = random_values(8, 8, channels, dtype=np.uint16) >> 4
        for name, scaled in (('dark', values), ('bright', values << 4)):
            scaled[0, 0] = scaled.max()
            cv2.imwrite(str(tmp_path / f'{name}.{extension}'), scaled)
        assert load(tmp_path / f'dark.{extension}')['image_mode'].endswith(FEW_BITS)
        assert FEW_BITS not in load(tmp_path / f'bright.{extension}')['image_mode']


class TestForms:
    @pytest.mark.parametrize(
        ('orientation', 'upright'),
        [
            (1, lambda a: a),
            (2, lambda a: a[:, ::-1]),
            (3, lambda a: a[::-1, ::-1]),
            (4, lambda a: a[::-1]),
            (5, lambda a: a.transpose(1, 0, 2)),
            (6, lambda a: np.rot90(a, -1)),  # clockwise
            (7, lambda a: a[::-1, ::-1].transpose(1, 0, 2)),
            (8, lambda a: np.rot90(a)),
        ],
    )
    @pytest.mark.parametrize('extension', ['png', 'tiff', 'jpg', 'webp'])
    def test_exif_orientation_is_applied(self, tmp_path, orientation, upright, extension):
        rgb, path = random_values(3, 5, 3), tmp_path / f'a.{extension}'
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(rgb).save(path, exif=exif)
        found = load(path)['img'][:, :, ::-1]
        if extension in ('png', 'tiff'):
            assert np.array_equal(found, upright(rgb))
        assert upright_size(path) == upright(rgb).shape[1::-1] == found.shape[1::-1]
        assert np.array_equal(read_with_pillow(path)[0], found)

    def test_an_animation_gives_its_first_frame(self, tmp_path):
        red, blue = (Image.new('RGB', (6, 4), colour) for colour in ('red', 'blue'))
        red.save(tmp_path / 'a.gif', save_all=True, append_images=[blue])
        with Image.open(tmp_path / 'a.gif') as file:
            assert file.n_frames == 2
        assert (load(tmp_path / 'a.gif')['img'] == (0, 0, 255)).all()

    @pytest.mark.parametrize('shape', [(1, 1), (1, 7), (7, 1), (1, 3000)])
    def test_pictures_of_one_row_or_column(self, tmp_path, shape):
        rgb = random_values(*shape, 3)
        Image.fromarray(rgb).save(tmp_path / 'a.png')
        assert np.array_equal(load(tmp_path / 'a.png')['img'], rgb[:, :, ::-1])

    def test_what_counts_is_the_content_not_the_name(self, tmp_path):
        rgb = random_values(3, 5, 3)
        Image.fromarray(rgb).save(tmp_path / 'a.jpg', format='png')
        assert np.array_equal(load(tmp_path / 'a.jpg')['img'], rgb[:, :, ::-1])


def png(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', crc)

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(100))
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', data)


class TestUnreadable:
    def reason(self, path: Path) -> str:
        with pytest.raises(UnreadableImage) as error:
            load(path)
        assert isinstance(error.value, ValueError)
        assert '\n' not in str(error.value)
        before, _, rest = str(error.value).partition(' cannot be read (')
        assert before.endswith(f'{str(path)!r}, found that it') and rest.endswith('or remove it.')
        return rest.partition('); copy')[0]

    @pytest.mark.parametrize(
        ('extension', 'options'),
        [
            ('jpg', {}),
            ('jpg', dict(progressive=True)),
            ('png', {}),
            ('webp', {}),
            ('gif', {}),
            ('bmp', {}),
            ('tiff', {}),
        ],
    )
    @pytest.mark.parametrize('share', [0.1, 0.5, 0.9])
    def test_truncated(self, tmp_path, extension, options, share):
        path = tmp_path / f'a.{extension}'
        Image.fromarray(random_values(64, 64, 3)).save(path, **options)
        load(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        assert 'Error: ' in self.reason(path)

    @pytest.mark.parametrize('content', [b'', b'this is no image\n', bytes(1000)])
    def test_no_image_at_all(self, tmp_path, content):
        path = tmp_path / 'a.jpg'
        path.write_bytes(content)
        assert self.reason(path).startswith('UnidentifiedImageError: cannot identify image file')

    def test_missing(self, tmp_path):
        assert self.reason(tmp_path / 'a.jpg').startswith('FileNotFoundError: ')

    def test_a_folder(self, tmp_path):
        assert self.reason(tmp_path).startswith('IsADirectoryError: ')

    def test_damaged_in_the_middle(self, tmp_path):
        path = tmp_path / 'a.png'
        Image.fromarray(random_values(64, 64, 3)).save(path)
        content = bytearray(path.read_bytes())
        content[len(content) // 2 : len(content) // 2 + 50] = bytes(50)
        path.write_bytes(content)
        assert 'Error: ' in self.reason(path)

    def test_a_decompression_bomb(self, tmp_path):
        path = tmp_path / 'a.png'
        path.write_bytes(png(30_000, 30_000))
        assert self.reason(path).startswith('DecompressionBombError: Image size (900000000 pixels)')

    def test_any_error_of_a_decoder(self, tmp_path, monkeypatch):
        """Whatever a decoder raises is a reason, not a crash."""

        def fail(*args):
            raise struct.error('unpack requires a buffer of 4 bytes')

        Image.new('RGB', (2, 2)).save(tmp_path / 'a.png')
        monkeypatch.setattr(Image.Image, 'convert', fail)
        expected = 'error: unpack requires a buffer of 4 bytes'
        assert self.reason(tmp_path / 'a.png') == expected
