"""Which files of a folder are pictures: the same for training, for the checks before it, and for
what is drawn of it. Needs nothing but Python, so that checks start at once."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

IMAGE_EXTENSIONS = (
    '.jpg', '.jpeg', '.png', '.bmp', '.ppm', '.pgm', '.tif', '.tiff', '.webp', '.gif',
)  # fmt: skip
# Beside what begins with a dot, as .ipynb_checkpoints and a Mac's ._picture.jpg do.
OF_THE_SYSTEM = ('__MACOSX', '@eaDir', '$RECYCLE.BIN', 'System Volume Information', 'lost+found')
OF_THE_SYSTEM += ('Thumbs.db', 'desktop.ini')


class Listing(NamedTuple):
    """What a folder and those below it hold, as sorted paths relative to it.

    Attributes:
        images: Files with one of the extensions.
        others: The other files.
        hidden: Hidden files and folders and those of the system, which are left out; a folder ends
            in a slash, and what is in it is not listed.
        unlisted: Folders that cannot be listed, each with the reason.
    """

    images: list[str]
    others: list[str]
    hidden: list[str]
    unlisted: list[str]

    def left_out(self) -> Iterator[str]:
        """What is left out and why, one sentence for each kind."""
        if self.others:
            yield (
                f'{len(self.others):,} files that are not images by their name are left out: '
                f'{some(self.others)}.'
            )
        if self.hidden:
            yield (
                f'{len(self.hidden):,} files and folders that are hidden or of the system are left '
                f'out: {some(self.hidden)}.'
            )
        for folder in self.unlisted:
            yield f'{folder} is left out, it cannot be listed.'


def some(items: Sequence, limit: int = 3) -> str:
    """The first items, and how many more there are."""
    more = f' and {len(items) - limit:,} more' if len(items) > limit else ''
    return ', '.join(str(item) for item in items[:limit]) + more


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is hidden or the system's, and so no picture or class
    of anyone's."""
    return name.startswith('.') or name in OF_THE_SYSTEM


def list_images(folder: str | Path, extensions: Sequence[str] = IMAGE_EXTENSIONS) -> Listing:
    """List a folder and those below it. Links are followed; a folder that is met twice is taken
    once.

    Args:
        folder: The folder; its own name may be hidden.
        extensions: Endings of the files to take, lower case; in the files' names any case will do.
    """
    found, seen = Listing([], [], [], []), set()
    extensions = tuple(extensions)

    def refuse(error: OSError) -> None:
        found.unlisted.append(f'{error.filename} ({error.strerror})')

    for base, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(base)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        below = os.path.relpath(base, folder) if base != str(folder) else ''
        hidden = [f'{name}/' for name in folders if is_hidden(name)]
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in files:
            if is_hidden(name):
                hidden.append(name)
            else:
                part = found.images if name.lower().endswith(extensions) else found.others
                part.append(os.path.join(below, name))
        found.hidden.extend(os.path.join(below, name) for name in hidden)
    return Listing(*map(sorted, found))


def class_folders(folder: str | Path) -> list[str]:
    """Sorted names of the folders in one, without hidden ones: an image's class is the folder it is
    in, its label the folder's position in this list."""
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not is_hidden(e.name))
