"""Images of a folder, with what is left out told to the run's log."""

import logging
import os
from collections.abc import Sequence

from mmengine.logging import print_log

from .files import IMAGE_EXTENSIONS, list_images


def find_images(folder: str, extensions: Sequence[str] = IMAGE_EXTENSIONS) -> list[str]:
    """All images of a folder and below it, see :func:`.files.list_images`, sorted, as paths
    relative to it. What is left out is logged.

    Raises:
        ValueError: If there is no such folder or no image in it.
    """
    if not os.path.isdir(folder):
        raise ValueError(
            f'Expected a folder of images, found none at {folder!r}; set data_root to the folder '
            'that holds your images (for ImageNet, its train folder).'
        )
    found = list_images(folder, extensions)
    if not found.images:
        raise ValueError(
            f'Expected images ({", ".join(extensions)}) in {folder!r} or below, found none among '
            f'its {len(found.others)} files; set data_root to the folder that holds your images.'
        )
    for sentence in found.left_out():
        warn(f'{folder}: {sentence}')
    return found.images


def warn(message: str) -> None:
    """To the run's log."""
    print_log(message, logger='current', level=logging.WARNING)
