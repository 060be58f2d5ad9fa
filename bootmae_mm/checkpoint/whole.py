"""Reading a run's own checkpoints, with everything in them, and telling whether they are whole."""

from collections.abc import Mapping
from pathlib import Path

import torch

from .checksums import check_sums
from .reading import _safe_globals as safe_globals


def read_checkpoint(path: str | Path, mmap: bool = False) -> dict:
    """All of a checkpoint that mmengine's runner wrote, without ever running code in it.

    Args:
        path: Of the file.
        mmap: Leave the tensors' values on the disk until they are used.

    Raises:
        ValueError: If there is no such file, it is damaged, or it is no checkpoint of a run.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'Expected a checkpoint file, found nothing at {str(path)!r}.')
    try:
        with torch.serialization.safe_globals(safe_globals()):
            content = torch.load(path, map_location='cpu', weights_only=True, mmap=mmap)
    except Exception as error:  # a damaged file makes torch's reader raise almost anything
        first_line = str(error).strip().partition('\n')[0]
        raise ValueError(
            f'Expected a checkpoint of a run, found a file that is damaged or holds other objects '
            f'at {str(path)!r} ({first_line}).'
        ) from error
    if not isinstance(content, Mapping) or not isinstance(content.get('meta'), Mapping):
        raise ValueError(
            f'Expected a checkpoint of a run at {str(path)!r}, found weights without the state of '
            'their run; load them with load_from or an init_cfg instead.'
        )
    return content


def read_meta(path: str | Path) -> dict:
    """What a checkpoint says about its run, without reading the tensors.

    Raises:
        ValueError: As :func:`read_checkpoint`.
    """
    return read_checkpoint(path, mmap=True)['meta']


def damage(path: str | Path) -> str | None:
    """Why a file is not as PyTorch wrote it, by the check sums in it; None if it is."""
    try:
        return None if check_sums(path) else 'it has no check sums'
    except Exception as error:  # zipfile, too, raises almost anything for a damaged file
        return str(error) or type(error).__name__
