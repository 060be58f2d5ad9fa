"""Checkpoint files of a run: written so that none is ever half there, and found again."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...checkpoint.reading import corruption, read_meta
from ..run_files import checkpoints

WRITING = '.{}.writing'


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Hand out a temporary path beside ``path``; what is written there takes the place of ``path``
    at the end, all at once and after it has reached the disk.

    Raises:
        RuntimeError: If the disk refuses, with the space that is left on it; ``path`` is as before.
    """
    temporary = path.with_name(WRITING.format(path.name))
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        free = shutil.disk_usage(path.parent).free
        raise RuntimeError(
            f'Expected to write {str(path)!r}, found that the disk refused '
            f'({error.strerror or error}; {free / 2**30:.2f} GiB are free); make room and start '
            'again with the same command, and the run goes on from its last checkpoint.'
        ) from error


def _flush(path: Path) -> None:
    """Wait until the disk has a file, or the entries of a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_unfinished(folder: Path) -> list[str]:
    """Remove what a killed process left half-written; return the names."""
    found = sorted(folder.glob(WRITING.format('*')))
    for path in found:
        path.unlink()
    return [path.name for path in found]


def newest_first(folder: str | Path) -> tuple[list[Path], dict[Path, str]]:
    """Checkpoints of a folder by the training they hold, most of it first, and those that cannot be
    read with the reason."""
    progress, unreadable = {}, {}
    for path in checkpoints(folder):
        try:
            meta = read_meta(path)
            progress[path] = meta.get('optimizer_steps', 0), meta.get('epoch', 0)
        except ValueError as error:
            unreadable[path] = str(error)
    return sorted(progress, key=progress.__getitem__, reverse=True), unreadable


def newest_intact(folder: str | Path, warn) -> Path | None:
    """The checkpoint with the most training that is whole, None if there is no checkpoint at all.

    Args:
        folder: Work directory of the run.
        warn: Called with a sentence for each one that is damaged.

    Raises:
        ValueError: If there are checkpoints and all of them are damaged.
    """
    paths, unreadable = newest_first(folder)
    for path, reason in unreadable.items():
        warn(f'{path.name} is left aside, it is damaged: {reason}')
    for path in paths:
        reason = corruption(path)
        if reason is None:
            return path
        unreadable[path] = reason
        warn(f'{path.name} is left aside, it is damaged: {reason}')
    if unreadable:
        raise ValueError(
            f'Expected a whole checkpoint to go on from in {str(folder)!r}, found '
            f'{len(unreadable)} and all of them damaged '
            f'({", ".join(sorted(path.name for path in unreadable))}); remove them to start anew, '
            'or copy one back from a backup.'
        )
    return None
