"""Folders with good, unreadable and odd image files, and the report about them."""

from pathlib import Path

import numpy as np
from PIL import Image

BAD = {
    'bad/empty.jpg': b'',
    'bad/text.jpg': b'no image',
    'bad/truncated.jpg': None,  # written below
    'bad/truncated.png': None,
}


CONVERTED = {
    'odd/grey.jpg': 'L to RGB',
    'odd/grey16.png': 'I;16B to RGB',
    'odd/palette.png': 'P to RGB',
    'odd/cmyk.jpg': 'CMYK to RGB',
    'odd/alpha.png': 'RGBA to RGB',
    'odd/bits.png': '1 to RGB',
    'odd/pixel.png': 'a single pixel, enlarged',
    'odd/grey_pixel.png': 'L to RGB, a single pixel, enlarged',
}


def write_odd(folder: Path) -> None:
    """One readable file of every kind in ``CONVERTED``."""
    (folder / 'odd').mkdir(parents=True)
    rgb = np.random.default_rng(1).integers(0, 256, (36, 40, 3), dtype=np.uint8)
    image = Image.fromarray(rgb)
    for mode, name in [
        ('L', 'grey.jpg'),
        ('P', 'palette.png'),
        ('CMYK', 'cmyk.jpg'),
        ('RGBA', 'alpha.png'),
        ('1', 'bits.png'),
    ]:
        image.convert(mode).save(folder / 'odd' / name)
    Image.fromarray(rgb[:, :, 0].astype(np.uint16) * 257).save(folder / 'odd/grey16.png')
    Image.new('RGB', (1, 1), 'red').save(folder / 'odd/pixel.png')
    Image.new('L', (1, 1), 9).save(folder / 'odd/grey_pixel.png')


def write_bad(folder: Path) -> None:
    """The unreadable files of ``BAD``."""
    (folder / 'bad').mkdir(parents=True)
    noise = np.random.default_rng(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for name, content in BAD.items():
        path = folder / name
        if content is None:
            Image.fromarray(noise).save(path)
            content = path.read_bytes()[: path.stat().st_size // 2]
        path.write_bytes(content)


def report_rows(work_dir: Path) -> list:
    text = (work_dir / 'image_report.tsv').read_text(encoding='utf-8')
    assert text.endswith('\n')
    return [tuple(line.split('\t')) for line in text[:-1].split('\n')]
