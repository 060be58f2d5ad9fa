"""The drawn data sets of the demo."""

from collections.abc import Callable
from pathlib import Path

from . import dense_layout, layout
from .shapes import CLASSES

SIZE = 64
NUM_TRAIN, NUM_VAL = 8192, 200
LABELS_PER_CLASS, NUM_LABELLED_VAL = 100, 400
NUM_DENSE_TRAIN, NUM_DENSE_VAL = 800, 200
# Half of the classes: UperNet and Mask R-CNN learn them in the minute that a job has.
DENSE_CLASSES = ('bar', 'cross', 'disc', 'ring')
# Large upright shapes on smooth backgrounds: a small ViT learns something of them in minutes.
STYLE = dict(size_range=(0.55, 0.75), max_rotation=0.35, textures=('gradient', 'value_noise'))


def draw(data: Path, say: Callable[[str], None]) -> None:
    """Draw pictures to pretrain on, and others with labels; nothing the second time.

    Args:
        data: Folder for ``shapes``, ``shapes_labelled`` and ``shapes_dense``.
        say: Called with a line at every 2000th picture.

    Raises:
        ValueError: If there is something else in one of the folders.
    """
    common = dict(
        size=SIZE, progress=lambda done, total: done % 2000 or say(f'{done} of {total} pictures')
    )
    layout.write_imagenet_layout(data / 'shapes', NUM_TRAIN, NUM_VAL, seed=0, **common, **STYLE)
    layout.write_imagenet_layout(
        data / 'shapes_labelled', LABELS_PER_CLASS * len(CLASSES), NUM_LABELLED_VAL, seed=1,
        **common, **STYLE,
    )  # fmt: skip
    dense_layout.write_dense_layouts(
        data / 'shapes_dense', NUM_DENSE_TRAIN, NUM_DENSE_VAL, seed=0, classes=DENSE_CLASSES,
        **common, **STYLE,
    )  # fmt: skip
