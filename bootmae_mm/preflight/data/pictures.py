"""A plain folder of pictures, for pretraining."""

from collections.abc import Iterator
from pathlib import Path

from ...data.files import IMAGE_EXTENSIONS, list_images
from .files import Finding, left_out, spot_check

LAYOUT = """\
FOLDER/               any depth of folders, no labels
    a.jpg
    holiday/b.png"""


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
    found = list_images(root)
    if not found.images:
        yield Finding(
            'error',
            f'Expected images ({", ".join(IMAGE_EXTENSIONS)}) in {str(root)!r} or below, found '
            f'none among {len(found.others):,} files.',
        )
        return
    yield Finding('ok', f'{len(found.images):,} images.')
    yield from left_out('images', found)
    yield from spot_check('images', [root / name for name in found.images], sample, replaced=True)
