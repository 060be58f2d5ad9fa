"""Pictures that hooks gave the visualizer: ``vis_data/vis_image/<name>_<step>.png`` of a run."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from .work_dir import Run

FILE = re.compile(r'(.+)_(\d+)\.png')
MAX_NAMES = 12
MAX_SIDE = 1600  # pixels; larger pictures are shown smaller


class Picture(NamedTuple):
    """A picture: name, step and uint8 RGB ``(H, W, 3)``."""

    name: str
    step: int
    image: np.ndarray


class Pictures(NamedTuple):
    """The first and the newest picture of every name that is shown (one where they are the same),
    names that are left out, and files that are no pictures."""

    shown: list[list[Picture]]
    left_out: list[str]
    unreadable: list[Path]


def collect_pictures(runs: Sequence[Run]) -> Pictures:
    """The pictures of runs, oldest first; of the same name and step the later run's."""
    files: dict[str, dict[int, Path]] = defaultdict(dict)
    for run in runs:
        root = run.folder / 'vis_data/vis_image'
        for path in sorted(root.rglob('*.png')):
            found = FILE.fullmatch(path.relative_to(root).as_posix())
            if found:
                files[found[1]][int(found[2])] = path
    names = sorted(files)
    shown, unreadable = [], []
    for name in names[:MAX_NAMES]:
        steps = sorted({min(files[name]), max(files[name])})
        images = {step: read_picture(files[name][step]) for step in steps}
        unreadable += [files[name][step] for step in steps if images[step] is None]
        pair = [Picture(name, step, image) for step, image in images.items() if image is not None]
        if pair:
            shown.append(pair)
    return Pictures(shown, names[MAX_NAMES:], unreadable)


def read_picture(path: Path) -> np.ndarray | None:
    """A file's pixels, at most MAX_SIDE wide and high; None if it is no whole picture."""
    try:
        with Image.open(path) as file:
            image = file.convert('RGB')
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    return np.asarray(image)
