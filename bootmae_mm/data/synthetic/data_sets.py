"""The drawn data sets of the demo."""

from collections.abc import Callable
from pathlib import Path

from . import dense_layout, layout

NUM_TRAIN, NUM_VAL, LABELS_PER_CLASS = 8192, 1000, 100
NUM_DENSE_TRAIN, NUM_DENSE_VAL = 800, 200
# Half of the classes: UperNet and Mask R-CNN learn them in the minute that a job has.
DENSE_CLASSES = ('bar', 'cross', 'disc', 'ring')
# Large upright shapes on smooth backgrounds: a small ViT learns something of them in minutes.
STYLE = dict(size_range=(0.55, 0.75), max_rotation=0.35, textures=('gradient', 'value_noise'))


def draw(data: Path, say: Callable[[str], None]) -> None:
    """Draw the data sets and choose the labelled subset; nothing the second time.

    Args:
        data: Folder for ``shapes`` and ``shapes_dense``.
        say: Called with a line at every 2000th picture.

    Raises:
        ValueError: If there is something else in one of the two folders.
    """
    root = data / 'shapes'
    layout.write_imagenet_layout(
        root, NUM_TRAIN, NUM_VAL, size=32, seed=0, **STYLE,
        progress=lambda done, total: done % 2000 or say(f'  {done} of {total} pictures'),
    )  # fmt: skip
    labelled = layout.labelled_subset(root, LABELS_PER_CLASS)
    layout.write_annotation(root / 'labelled.txt', labelled)
    dense_layout.write_dense_layouts(
        data / 'shapes_dense', NUM_DENSE_TRAIN, NUM_DENSE_VAL, size=32, seed=0,
        classes=DENSE_CLASSES, **STYLE,
    )  # fmt: skip
