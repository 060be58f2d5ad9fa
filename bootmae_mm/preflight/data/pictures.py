"""A plain folder of pictures, for pretraining."""

from collections.abc import Iterator
from pathlib import Path

from .files import Finding, list_files, some, spot_check

LAYOUT = """\
FOLDER/               any depth of folders, no labels
    a.jpg
    holiday/b.png"""

# What UnlabelledImages takes.
EXTENSIONS = (
    '.jpg', '.jpeg', '.png', '.bmp', '.ppm', '.pgm', '.tif', '.tiff', '.webp', '.gif',
)  # fmt: skip


def check(root: str | Path, sample: int = 20) -> Iterator[Finding]:
    """Look at a folder that :class:`bootmae_mm.data.dataset.UnlabelledImages` is to read.

    Args:
        root: The folder.
        sample: How many images to decode.
    """
    root = Path(root)
    if not root.is_dir():
        yield Finding('error', f'Expected a folder of images, found none at {str(root)!r}.')
        return
    names, others = list_files(root, EXTENSIONS)
    if not names:
        yield Finding(
            'error',
            f'Expected images ({", ".join(EXTENSIONS)}) in {str(root)!r} or below, found none '
            f'among {len(others):,} files.',
        )
        return
    yield Finding('ok', f'{len(names):,} images.')
    if others:
        yield Finding(
            'warning',
            f'{len(others):,} files are not images by their name and will be left out: '
            f'{some(others)}.',
        )
    yield spot_check('images', [root / name for name in names], sample)
