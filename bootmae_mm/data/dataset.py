"""Images without labels: ImageNet's train folder, or any folders of pictures."""

import os
from collections.abc import Sequence

from mmpretrain.datasets.base_dataset import BaseDataset
from mmpretrain.registry import DATASETS

from .files import IMAGE_EXTENSIONS
from .sampling import SampleKey
from .search import find_images
from .unreadable import ReplacesUnreadable


@DATASETS.register_module()
class UnlabelledImages(ReplacesUnreadable, BaseDataset):
    """Every image in a folder and below it, without labels.

    A file that cannot be read is replaced, see :class:`.ReplacesUnreadable`.

    Args:
        data_root: The folder, or a list of several; one that is listed twice is taken twice. With
            mmengine's ``data_prefix``, the one that prefix names in each.
        pipeline: Transforms, beginning with ``LoadAnyImage``.
        extensions: Endings of the files to take, lower case; others than the usual ones where
            pictures bear them, such as ``('.jfif',)``.
        **kwargs: Those of mmengine's ``BaseDataset``.

    Raises:
        ValueError: If a folder holds no image, or none is given.
    """

    def __init__(
        self,
        data_root: str | Sequence[str],
        pipeline: Sequence = (),
        extensions: tuple[str, ...] = IMAGE_EXTENSIONS,
        **kwargs,
    ) -> None:
        self.extensions = extensions
        self.roots = [data_root] if isinstance(data_root, str) else list(data_root)
        if not self.roots:
            raise ValueError(
                'Expected a folder of images or a list of them as data_root, found an empty list; '
                'name one.'
            )
        # mmengine would join the root and a prefix, but of a single root only.
        super().__init__(ann_file='', data_root='', pipeline=pipeline, **kwargs)
        self.data_root = data_root

    def load_data_list(self) -> list[dict]:
        """One entry ``img_path`` per image, in sorted order of each folder."""
        return [info for root in self.roots for info in self._infos(root)]

    def _infos(self, root: str) -> list[dict]:
        folder = os.path.join(root, self.img_prefix) if self.img_prefix else root
        folder = os.path.expanduser(folder)
        return [
            dict(img_path=os.path.join(folder, path))
            for path in find_images(folder, self.extensions)
        ]

    def __getitem__(self, key: SampleKey | int) -> dict:
        """The sample of a key; a bare index is taken as (seed 0, epoch 0)."""
        return super().__getitem__(key if isinstance(key, SampleKey) else SampleKey(0, 0, int(key)))
