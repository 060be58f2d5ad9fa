"""Labelled images: ImageNet, or class folders or lists of one's own."""

import os
import re
from collections.abc import Sequence

from mmpretrain.datasets.categories import IMAGENET_CATEGORIES
from mmpretrain.datasets.custom import CustomDataset
from mmpretrain.registry import DATASETS

from .files import IMAGE_EXTENSIONS, class_folders, some
from .search import find_images, warn
from .unreadable import ReplacesUnreadable

WORDNET_ID = re.compile(r'n\d{8}')


@DATASETS.register_module()
class ImageFolders(ReplacesUnreadable, CustomDataset):
    """Images in class folders, or listed with their labels, as mmpretrain's ``CustomDataset`` and
    ``ImageNet`` have them:

    - ``<data_root>/<split>/<class>/<image>``; a class's label is its place among the sorted names
      of the folders;
    - ``<data_root>/<split>/<image>``, with lines ``<image> <label>`` in
      ``<data_root>/meta/<split>.txt``.

    Hidden folders and those of the system are no classes. A file that cannot be read is replaced,
    see :class:`.ReplacesUnreadable`.

    Args:
        data_root: The folder.
        split: The folder in it, and the list's name; short for ``data_prefix`` and ``ann_file``.
        data_prefix: Folder of the classes or listed images, relative to ``data_root``.
        ann_file: A list of images and labels, relative to ``data_root``.
        extensions: Endings of the files to take, lower case.
        classes: Names of the classes, or a file with one in each line. Those of the folders in
            another order give the labels in that order; others are for display. By default they are
            the folders' names, and ImageNet's for its 1,000 folders.
        every: 10 takes every tenth of the images in their order, so that each class keeps a tenth
            of its labels; 1 takes all.
        **kwargs: Those of mmpretrain's ``CustomDataset``.

    Raises:
        ValueError: If there are no images or no class folders, or not as many as ``classes``.
    """

    def __init__(
        self,
        data_root: str = '',
        split: str = '',
        data_prefix: str = '',
        ann_file: str = '',
        extensions: Sequence[str] = IMAGE_EXTENSIONS,
        classes: str | Sequence[str] | None = None,
        every: int = 1,
        **kwargs,
    ) -> None:
        self.every = every
        data_root = os.path.expanduser(data_root)
        listed = os.path.join('meta', f'{split}.txt')
        if split and not ann_file and os.path.isfile(os.path.join(data_root, listed)):
            ann_file = listed
        super().__init__(
            data_root=data_root,
            data_prefix=data_prefix or split,
            ann_file=ann_file,
            extensions=extensions,
            classes=classes,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """The images that are taken."""
        return super().load_data_list()[:: self.every]

    def _find_samples(self) -> list:
        """Images with their labels, for mmpretrain's reader; of a remote folder it finds them."""
        folder = self.img_prefix
        if '://' in folder:
            return super()._find_samples()
        images = find_images(folder, self.extensions)
        if not self.with_label:
            return images
        classes = class_folders(folder)
        split = [image.partition(os.sep)[::2] for image in images]
        inside = sorted((name, image) for name, image in split if image)
        if not inside:
            raise ValueError(
                f'Expected images in class folders in {folder!r}, found {len(images):,} images '
                f'beside them only: {some(images)}; move each into a folder of its class.'
            )
        self._tell(folder, [name for name, image in split if not image], classes, inside)
        labels = self._labels(folder, classes)
        return [(os.path.join(name, image), labels[name]) for name, image in inside]

    def _labels(self, folder: str, folders: list[str]) -> dict[str, int]:
        """The label of each class folder; sets the classes' names where none are given."""
        names = self.CLASSES
        if names is None:
            imagenet = len(folders) == 1000 and all(map(WORDNET_ID.fullmatch, folders))
            self._metainfo['classes'] = tuple(IMAGENET_CATEGORIES if imagenet else folders)
        elif len(names) != len(folders):
            raise ValueError(
                f'Expected a folder in {folder!r} for each of the {len(names):,} classes, found '
                f'{len(folders):,}: {some(folders)}; correct classes (or metainfo) or the folders.'
            )
        elif {*names} == {*folders}:
            folders = names
        return {name: label for label, name in enumerate(folders)}

    @staticmethod
    def _tell(folder: str, loose: list[str], classes: list[str], inside: list[tuple]) -> None:
        """Log what is odd."""
        if loose:
            warn(
                f'{folder}: {len(loose):,} images beside the class folders have no class and are '
                f'left out: {some(loose)}.'
            )
        if empty := sorted({*classes} - {name for name, _ in inside}):
            warn(f'{folder}: no image in {len(empty):,} class folders: {some(empty)}.')
