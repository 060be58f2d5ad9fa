"""Images without labels: ImageNet's train folder, or any folder of pictures."""

import logging
import os
from collections.abc import Sequence

import numpy as np
from mmengine.logging import print_log
from mmpretrain.datasets.base_dataset import BaseDataset
from mmpretrain.registry import DATASETS

from .loading import UnreadableImage
from .sampling import SampleKey, seeded

MAX_UNREADABLE = 100  # tried in place of one
IMAGE_EXTENSIONS = (
    '.jpg', '.jpeg', '.png', '.bmp', '.ppm', '.pgm', '.tif', '.tiff', '.webp', '.gif',
)  # fmt: skip


def find_images(folder: str, extensions: Sequence[str] = IMAGE_EXTENSIONS) -> list[str]:
    """All files below ``folder`` with one of the extensions, sorted, as paths relative to it.

    Links to folders are followed; a folder that is met twice is taken once. Files left out by their
    name and folders that cannot be listed are logged.

    Raises:
        ValueError: If there is no such folder or no such file in it.
    """
    if not os.path.isdir(folder):
        raise ValueError(
            f'Expected a folder of images, found none at {folder!r}; set data_root to the folder '
            'that holds your images (for ImageNet, its train folder).'
        )
    paths, num_others, seen = [], 0, set()
    for base, folders, files in os.walk(folder, onerror=warn_of_folder, followlinks=True):
        folders.sort()
        real = os.path.realpath(base)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        images = [f for f in files if f.lower().endswith(tuple(extensions))]
        num_others += len(files) - len(images)
        paths += [os.path.relpath(os.path.join(base, name), folder) for name in images]
    if not paths:
        raise ValueError(
            f'Expected images ({", ".join(extensions)}) in {folder!r} or below, found none among '
            f'its {num_others} files; set data_root to the folder that holds your images.'
        )
    if num_others:
        warn(f'{folder}: {num_others} files that are not images by their name are left out.')
    return sorted(paths)


def warn(message: str) -> None:
    """To the run's log."""
    print_log(message, logger='current', level=logging.WARNING)


def warn_of_folder(error: OSError) -> None:
    """Tell of a folder that cannot be listed."""
    warn(f'{error.filename} is left out, it cannot be listed: {error.strerror}.')


def conversion(info: dict) -> str:
    """What loading changed in an image that is not plain 8-bit RGB, or is a single pixel; else
    nothing."""
    mode = info.get('image_mode', 'RGB')
    notes = [f'{mode} to RGB'] if mode != 'RGB' else []
    if info.get('ori_shape') == (1, 1):
        notes.append('a single pixel, enlarged')
    return ', '.join(notes)


@DATASETS.register_module()
class UnlabelledImages(BaseDataset):
    """Every image in a folder and below it, without labels.

    A file that cannot be read is replaced by one drawn at random, the same one for the same
    :class:`.SampleKey`, so that batches keep their size; which files were replaced or converted is
    noted in the sample's ``image_issues``, a list of ``(path, what, why)``, for
    :class:`~bootmae_mm.monitors.image_report.ImageReportHook`.

    Args:
        data_root: The folder; with mmengine's ``data_prefix``, the one that prefix names in it.
        pipeline: Transforms, beginning with ``LoadAnyImage``.
        extensions: Endings of the files to take, lower case; others than the usual ones where
            pictures bear them, such as ``('.jfif',)``.
        **kwargs: Those of mmengine's ``BaseDataset``.

    Raises:
        ValueError: If the folder holds no image, or 100 tries in a row find none readable.
    """

    def __init__(
        self,
        data_root: str,
        pipeline: Sequence = (),
        extensions: tuple[str, ...] = IMAGE_EXTENSIONS,
        **kwargs,
    ) -> None:
        self.extensions = extensions
        super().__init__(ann_file='', data_root=data_root, pipeline=pipeline, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry ``img_path`` per image, in sorted order."""
        root = os.path.expanduser(self.img_prefix)
        return [
            dict(img_path=os.path.join(root, path)) for path in find_images(root, self.extensions)
        ]

    def __getitem__(self, key: SampleKey | int) -> dict:
        """The sample of a key; a bare index is taken as (seed 0, epoch 0)."""
        if not self._fully_initialized:
            self.full_init()
        key = key if isinstance(key, SampleKey) else SampleKey(0, 0, int(key))
        issues, index, replacement = [], key.index, None
        for _ in range(MAX_UNREADABLE):
            info = self.get_data_info(index)
            try:
                with seeded(key):
                    packed = self.pipeline(info)
            except UnreadableImage as reason:
                issues.append((info['img_path'], 'skipped', str(reason)))
                replacement = replacement or np.random.default_rng(key)
                index = int(replacement.integers(len(self)))
                continue
            if changed := conversion(info):
                issues.append((info['img_path'], 'converted', changed))
            packed['data_samples'].set_metainfo(dict(image_issues=issues))
            return packed
        raise ValueError(
            f'Expected readable images, found none among {len({path for path, *_ in issues})} '
            f'files, the last {issues[-1][0]!r} ({issues[-1][2]}); check '
            f'data_root={self.data_root!r}.'
        )
