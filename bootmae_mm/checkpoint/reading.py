"""Reading checkpoints from files that need not be trusted: no code in them is ever run."""

import logging
import re
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, print_log
from safetensors.torch import load_file
from torch import Tensor

from .checksums import check_sums
from .release import State


def read_state_dict(path: str | Path) -> State:
    """Read the weights of a checkpoint file.

    Reads PyTorch files of mmengine, of the release and of bare weights; and safetensors, known by
    their suffix ``.safetensors``.

    A file with check sums, as PyTorch writes since 1.6, is read only if all of it is as it was
    written. Older files, which a warning names, and safetensors have none: there a change inside a
    tensor goes unnoticed, other damage does not.

    Raises:
        ValueError: If there is no such file, it is damaged, it holds objects other than tensors,
            mmengine's log buffers and the parsed arguments of a command line, or no weights are in
            it.
    """
    path = _existing(path)
    with _damage_told(path, 'a checkpoint of tensors', '; fetch it anew or give another'):
        content = load_file(path) if path.suffix == '.safetensors' else _load_compared(path)
    for key in ('state_dict', 'model', 'module'):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not any(isinstance(v, Tensor) for v in content.values()):
        raise ValueError(f'Expected weights in {str(path)!r}, found none.')
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}


def read_checkpoint(path: str | Path, mmap: bool = False) -> dict:
    """All of a checkpoint that mmengine's runner wrote, check sums not compared.

    Args:
        path: The file to read.
        mmap: Leave the tensors' values on the disk until they are used.

    Raises:
        ValueError: If there is no such file, it is damaged, or it is no checkpoint of a run.
    """
    path = _existing(path)
    with _damage_told(path, 'a checkpoint of a run'):
        content = _load(path, mmap)
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


def corruption(path: str | Path) -> str | None:
    """Why a file is not as PyTorch wrote it, by the check sums in it; None if it is."""
    try:
        return None if check_sums(path) else 'it has no check sums'
    except Exception as error:  # zipfile, too, raises almost anything for a damaged file
        return str(error) or type(error).__name__


def _existing(path: str | Path) -> Path:
    if not Path(path).is_file():
        raise ValueError(f'Expected a checkpoint file, found nothing at {str(path)!r}.')
    return Path(path)


@contextmanager
def _damage_told(path: Path, expected: str, remedy: str = '') -> Iterator[None]:
    """Say of a file that cannot be read what is wrong with it."""
    try:
        yield
    except Exception as error:  # a damaged file makes torch's reader raise almost anything
        raise ValueError(
            f'Expected {expected}, found a file that is damaged or holds other objects at '
            f'{str(path)!r} ({_reason(error)}){remedy}.'
        ) from error


def _load(path: Path, mmap: bool = False) -> object:
    with torch.serialization.safe_globals(_safe_globals()):
        return torch.load(path, map_location='cpu', weights_only=True, mmap=mmap)


def _load_compared(path: Path) -> object:
    """All that is in a file, after a look at its check sums."""
    has_sums = check_sums(path)
    content = _load(path)
    if not has_sums:
        print_log(
            f'{str(path)!r} has no check sums, so a change inside one of its tensors would go '
            'unnoticed; PyTorch since 1.6 writes them: save the weights anew.',
            logger='current',
            level=logging.WARNING,
        )
    return content


def _reason(error: Exception) -> str:
    """What is wrong with a file, in a line, without torch's advice to run the code in it."""
    text = str(error)
    if asked := re.search(r'GLOBAL (\S+)', text):
        return f'it asks for {asked[1]}'
    if told := re.search(r'WeightsUnpickler error: (.*)', text):
        text = told[1]
    return f'{type(error).__name__}: {text.strip().partition(chr(10))[0]}'.rstrip(': .')


def _safe_globals() -> list:
    """What is stored beside tensors. By mmengine: log buffers, made of NumPy arrays and of
    references to their own methods (which pickle writes as ``getattr(HistoryBuffer, name)``). By
    the release and many others: the command line, a ``Namespace``, which only holds values."""
    numpy_makers = np.ndarray([]).__reduce__()[0], np.float64(0).__reduce__()[0]
    modules = 'numpy.core.multiarray', 'numpy._core.multiarray'  # NumPy 1 and 2
    named = [(make, f'{module}.{make.__name__}') for make in numpy_makers for module in modules]
    dtypes = {type(np.dtype(kind)) for kind in ('float64', 'float32', 'int64')}
    getter = _method_of_log_buffer, 'builtins.getattr'
    return [HistoryBuffer, Namespace, np.ndarray, np.dtype, *dtypes, *named, getter]


def _method_of_log_buffer(owner: type, name: str) -> Callable:
    if owner is not HistoryBuffer or name not in ('min', 'max', 'mean', 'current'):
        raise ValueError(f'it asks for {name!r} of {owner!r}')
    return getattr(owner, name)
