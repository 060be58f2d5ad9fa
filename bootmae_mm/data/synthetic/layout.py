"""Data sets of drawn pictures on disk, in ImageNet's layout.

root/train/<class>/<index>.png      root/val/<class>/<index>.png      root/dataset.json
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from .once import write_once
from .shapes import (
    CLASSES,
    DEFAULT_STYLE,
    GENERATOR_VERSION,
    Scene,
    check_scene_arguments,
    draw_scene,
)

SPLITS = ('train', 'val')


def split_scene(
    seed: int,
    split: str,
    index: int,
    size: int,
    **style,
) -> Scene:
    """Picture `index` of a split: it depends on the arguments only. Its label is
    `index % len(CLASSES)`. `style`: `size_range`, `max_rotation`, `textures` of `draw_scene`.
    """
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    return draw_scene(rng, size, label=index % len(CLASSES), **style)


def _write_picture(folder: Path, index: int, scene: Scene) -> None:
    path = folder / CLASSES[scene.label] / f'{index:06d}.png'
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(scene.image).save(path, compress_level=1)


def write_imagenet_layout(
    root: str | os.PathLike,
    num_train: int,
    num_val: int,
    size: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
    **style,
) -> None:
    """Write `root/{train,val}/<class>/<index>.png` once, classes balanced to within one picture.

    The parameters are kept in `root/dataset.json`, which appears when all pictures are there; a
    second call with the same parameters then returns at once. An interrupted write is redone.

    Args:
        root: the data set's own folder; made if missing.
        num_train, num_val: number of pictures, at least one of each class.
        size: side of the pictures in pixels.
        seed: 0 to 2**32 - 1.
        progress: called as `progress(done, total)` after every picture.
        **style: `size_range`, `max_rotation`, `textures` of `draw_scene`.

    Raises:
        ValueError: an argument is out of range, or `root` holds another data set or other files.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f'the seed must lie in 0..{2**32 - 1}, got {seed}')
    if min(num_train, num_val) < len(CLASSES):
        raise ValueError(
            f'each split needs at least {len(CLASSES)} pictures, one of each class; '
            f'got num_train={num_train}, num_val={num_val}'
        )
    style = {**DEFAULT_STYLE, **style}
    check_scene_arguments(size, None, 1, style['size_range'])
    parameters = {
        'generator_version': GENERATOR_VERSION,
        'classes': list(CLASSES),
        'num_train': num_train,
        'num_val': num_val,
        'size': size,
        'seed': seed,
        **{key: list(v) if isinstance(v, tuple) else v for key, v in style.items()},
    }
    root = Path(root)
    pictures = [('train', i) for i in range(num_train)] + [('val', i) for i in range(num_val)]

    def write() -> None:
        for done, (split, index) in enumerate(pictures, start=1):
            _write_picture(root / split, index, split_scene(seed, split, index, size, **style))
            if progress is not None:
                progress(done, len(pictures))

    write_once(root, parameters, write)
