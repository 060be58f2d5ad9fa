"""Images without labels: ImageNet's train folder, or any folder of pictures."""

import os
from collections.abc import Sequence

from mmengine.logging import print_log
from mmpretrain.datasets.base_dataset import BaseDataset
from mmpretrain.registry import DATASETS

from .loading import UnreadableImage
from .sampling import SampleKey, seeded

MAX_UNREADABLE = 100  # in a row
IMAGE_EXTENSIONS = (
    '.jpg', '.jpeg', '.png', '.bmp', '.ppm', '.pgm', '.tif', '.tiff', '.webp', '.gif',
)  # fmt: skip


def find_images(folder: str, extensions: Sequence[str]) -> list[str]:
    """All files below ``folder`` with one of the extensions, sorted, as paths relative to it.

    Raises:
        ValueError: If there is no such folder or no such file in it.
    """
    if not os.path.isdir(folder):
        raise ValueError(
            f'Expected a folder of images, found none at {folder!r}; set data_root to the folder '
            'that holds your images (for ImageNet, its train folder).'
        )
    paths, num_others = [], 0
    for base, folders, files in os.walk(folder):
        folders.sort()
        images = sorted(f for f in files if f.lower().endswith(tuple(extensions)))
        num_others += len(files) - len(images)
        paths += [os.path.relpath(os.path.join(base, name), folder) for name in images]
    if not paths:
        raise ValueError(
            f'Expected images ({", ".join(extensions)}) in {folder!r} or below, found none among '
            f'its {num_others} files; set data_root to the folder that holds your images.'
        )
    if num_others:
        print_log(f'{folder}: {num_others} files that are not images by their name are left out.')
    return paths


@DATASETS.register_module()
class UnlabelledImages(BaseDataset):
    """Every image in a folder and below it, without labels.

    A file that cannot be read is replaced by the next one in order, so that batches keep their
    size; which files were replaced or converted is noted in the sample's ``image_issues``, a list
    of ``(path, what, why)``, for :class:`~bootmae_mm.pretrain.hooks.ImageReportHook`.

    Args:
        data_root: The folder.
        pipeline: Transforms, beginning with ``LoadAnyImage``.
        extensions: File names to take, lower case.
        **kwargs: Those of mmengine's ``BaseDataset``.

    Raises:
        ValueError: If the folder holds no image, or 100 files in a row are unreadable.
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
        root = os.path.expanduser(self.data_root)
        return [
            dict(img_path=os.path.join(root, path)) for path in find_images(root, self.extensions)
        ]

    def __getitem__(self, key: SampleKey | int) -> dict:
        """The sample of a key; a bare index is taken as (seed 0, epoch 0)."""
        if not self._fully_initialized:
            self.full_init()
        key = key if isinstance(key, SampleKey) else SampleKey(0, 0, int(key))
        issues = []
        for attempt in range(MAX_UNREADABLE):
            info = self.get_data_info((key.index + attempt) % len(self))
            try:
                with seeded(key):
                    packed = self.pipeline(info)
            except UnreadableImage as reason:
                issues.append((info['img_path'], 'skipped', str(reason)))
                continue
            if info.get('image_mode', 'RGB') != 'RGB':
                issues.append((info['img_path'], 'converted', f'{info["image_mode"]} to RGB'))
            packed['data_samples'].set_metainfo(dict(image_issues=issues))
            return packed
        raise ValueError(
            f'Expected readable images, found {MAX_UNREADABLE} files in a row that are not, the '
            f'last {issues[-1][0]!r} ({issues[-1][2]}); check data_root={self.data_root!r}.'
        )
