"""Drawn pictures with pixel and instance labels, laid out as ADE20K and COCO.

root/ade/images/{training,validation}/<index>.png
root/ade/annotations/{training,validation}/<index>.png      0 = background, 1 + class elsewhere
root/ade/classes.txt                                        their names, a line each
root/coco/{train2017,val2017}/<index>.png
root/coco/annotations/instances_{train2017,val2017}.json    category ids are 1 + class
"""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from .once import write_once
from .shapes import CLASSES, GENERATOR_VERSION, Scene, Shape, draw_scene

# Names of a split in the two layouts.
SPLITS = {'train': ('training', 'train2017'), 'val': ('validation', 'val2017')}
# What keeps these scenes apart from the ones of `layout`, whose seeds have three words.
STREAM = 7


def split_scene(
    seed: int, split: str, index: int, size: int, num_shapes: tuple[int, int], **style
) -> Scene:
    """Scene `index` of a split: depends on the arguments only; `style` is that of `draw_scene`."""
    rng = np.random.default_rng([seed, list(SPLITS).index(split), index, STREAM])
    count = int(rng.integers(num_shapes[0], num_shapes[1] + 1))
    return draw_scene(rng, size, num_shapes=count, **style)


def label_map(scene: Scene, classes: Sequence[str] = CLASSES) -> np.ndarray:
    """uint8 (size, size): 0 for the background, 1 + place in `classes` on a shape."""
    labels = np.zeros(scene.image.shape[:2], np.uint8)
    for shape in scene.shapes:
        labels[shape.mask] = number_of(shape, classes)
    return labels


def number_of(shape: Shape, classes: Sequence[str]) -> int:
    """1 + the place of a shape's class."""
    return 1 + classes.index(CLASSES[shape.class_id])


def run_lengths(mask: np.ndarray) -> dict:
    """COCO's uncompressed run-length encoding: lengths of runs of 0, 1, 0, ... in column order."""
    pixels = np.concatenate([[0], mask.T.ravel(), [0]]).astype(np.int8)
    edges = np.flatnonzero(np.diff(pixels[:-1]))
    runs = np.diff(np.concatenate([[0], edges, [mask.size]]))
    return dict(size=list(mask.shape), counts=runs.tolist())


def coco_annotations(scenes: Iterable[tuple[int, Scene]], classes: Sequence[str] = CLASSES) -> dict:
    """The content of an instances file; a shape of which no pixel is seen has no annotation."""
    content = dict(images=[], annotations=[], categories=[])
    content['categories'] = [dict(id=1 + i, name=name) for i, name in enumerate(classes)]
    for index, scene in scenes:
        height, width = scene.image.shape[:2]
        content['images'].append(
            dict(id=index, file_name=file_name(index), width=width, height=height)
        )
        for shape in scene.shapes:
            if shape.mask.any():
                number = len(content['annotations']) + 1
                content['annotations'].append(
                    _annotation(number, index, shape, number_of(shape, classes))
                )
    return content


def _annotation(number: int, image_id: int, shape: Shape, category: int) -> dict:
    ys, xs = np.nonzero(shape.mask)
    left, top = int(xs.min()), int(ys.min())
    return dict(
        id=number,
        image_id=image_id,
        category_id=category,
        bbox=[left, top, int(xs.max()) + 1 - left, int(ys.max()) + 1 - top],
        area=int(shape.mask.sum()),
        iscrowd=0,
        segmentation=run_lengths(shape.mask),
    )


def file_name(index: int) -> str:
    """Name of a picture and of its label map."""
    return f'{index:06d}.png'


def write_dense_layouts(
    root: str | os.PathLike,
    num_train: int,
    num_val: int,
    size: int,
    seed: int,
    num_shapes: tuple[int, int] = (1, 1),
    progress: Callable[[int, int], None] | None = None,
    **style,
) -> None:
    """Write the same pictures in both layouts, once; see `once.write_once`.

    Args:
        root: The data set's own folder; made if missing.
        num_train, num_val: Number of pictures.
        size: Side of the pictures in pixels.
        seed: Seed of the pictures, from 0.
        num_shapes: Smallest and largest number of shapes in a picture.
        progress: Called as `progress(done, total)` after every picture.
        **style: `size_range`, `max_rotation`, `textures`, `classes` of `draw_scene`.

    Raises:
        ValueError: If shapes do not fit, or `root` holds another data set or other files.
    """
    root = Path(root)
    parameters = dict(
        generator_version=GENERATOR_VERSION, num_train=num_train, num_val=num_val, size=size,
        seed=seed, num_shapes=list(num_shapes),
        **{key: list(v) if isinstance(v, tuple) else v for key, v in style.items()},
    )  # fmt: skip

    classes = style.get('classes', CLASSES)

    def write() -> None:
        done = 0
        for split, count in (('train', num_train), ('val', num_val)):
            scenes = []
            for index in range(count):
                scene = split_scene(seed, split, index, size, num_shapes, **style)
                _write_scene(root, split, index, scene, classes)
                scenes.append((index, scene))
                done += 1
                if progress is not None:
                    progress(done, num_train + num_val)
            file = root / 'coco/annotations' / f'instances_{SPLITS[split][1]}.json'
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(coco_annotations(scenes, classes)))
        (root / 'ade/classes.txt').write_text('\n'.join(['background', *classes]) + '\n')

    write_once(root, parameters, write)


def _write_scene(root: Path, split: str, index: int, scene: Scene, classes: Sequence[str]) -> None:
    ade, coco = SPLITS[split]
    pictures = {
        root / 'ade/images' / ade: scene.image,
        root / 'ade/annotations' / ade: label_map(scene, classes),
        root / 'coco' / coco: scene.image,
    }
    for folder, pixels in pictures.items():
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / file_name(index), compress_level=1)
