"""Reading checkpoints from files that need not be trusted: no code in them is ever run."""

import logging
import re
import zipfile
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
from .sources import local_path

CONTAINERS = 'state_dict', 'model', 'module'
REMEDY = '; fetch it anew or give another, or one of the weights alone'
# What a file is that came in place of a checkpoint, by its first bytes.
MISTAKEN = {
    rb'$': 'it is empty',
    rb'version https://git-lfs': 'it is a pointer of Git LFS: git lfs pull fetches the file',
    rb'(\.\./)*(\.git)?/?annex/objects/': 'it is a pointer of git-annex: git annex get fetches it',
    rb'\s*(<!doctype html|<html|<\?xml)': 'it is a page of the web',
    rb'\x1f\x8b|BZh|\xfd7zXZ': 'it is compressed: unpack it',
}
SAFETENSORS = re.compile(rb'.{7}\x00\{"', re.DOTALL)  # the length of a header, and the header


def read_state_dict(path: str | Path) -> State:
    """Read the weights of a checkpoint file.

    Reads PyTorch files of mmengine, of the release and of bare weights; and safetensors. A file on
    the web is fetched once, see :mod:`bootmae_mm.checkpoint.sources`.

    A file with check sums, as PyTorch writes since 1.6, is read only if all of it is as it was
    written. Older files, which a warning names, and safetensors have none: there a change inside a
    tensor goes unnoticed, other damage does not.

    Raises:
        ValueError: If there is no such file, it is damaged, it holds objects other than tensors,
            mmengine's log buffers and the parsed arguments of a command line, or no weights are in
            it.
    """
    path = _existing(path)
    content = whole = _content(path)
    for key in CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    state = {}
    if isinstance(content, Mapping):
        state = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    return state or _no_weights(path, whole)


def read_tensors(path: str | Path) -> State:
    """Read all named tensors of a checkpoint file, wherever they are nested in it.

    A tensor in dictionaries or lists has all their keys in its name, as in
    ``teacher.backbone.cls_token``. Optimisers are left out. Of what a run of mmengine or the
    release's pretraining wrote it is the model alone, under its own names, since which weights are
    meant is known there.

    Raises:
        ValueError: As :func:`read_state_dict`.
    """
    path = _existing(path)
    content = _content(path)
    if isinstance(content, Mapping):
        content = _of_known_run(content)
    with _damage_told(path, 'a checkpoint of tensors'):
        state = dict(_nested(content))
    return state or _no_weights(path, content)


def _content(path: Path) -> object:
    """All that is in a file, its check sums compared."""
    with _damage_told(path, 'a checkpoint of tensors', REMEDY):
        is_safetensors = path.suffix == '.safetensors' or SAFETENSORS.match(_start(path))
        return load_file(path) if is_safetensors else _load_compared(path)


def _of_known_run(content: Mapping) -> Mapping:
    model, of_mmengine = content.get('model'), isinstance(content.get('meta'), Mapping)
    if of_mmengine and isinstance(content.get('state_dict'), Mapping):
        return content['state_dict']
    if isinstance(model, Mapping) and any(str(n).startswith('decode_blocks.') for n in model):
        return model
    return content


def _nested(content: object, prefix: str = '') -> Iterator[tuple[str, Tensor]]:
    if isinstance(content, (list, tuple)):
        content = {str(index): value for index, value in enumerate(content)}
    for name, value in content.items() if isinstance(content, Mapping) else ():
        if isinstance(value, Tensor):
            yield f'{prefix}{name}', value
        elif isinstance(name, str) and 'optim' not in name:  # numbers are an optimiser's, too
            yield from _nested(value, f'{prefix}{name}.')


def _no_weights(path: Path, content: object) -> State:
    keys = list(map(repr, content)) if isinstance(content, Mapping) else [type(content).__name__]
    inside = ', '.join(keys[:8]) + ' …' * (len(keys) > 8) or 'nothing'
    raise ValueError(
        f'Expected weights in {str(path)!r}, found none in what it holds ({inside}); give a file '
        'with the weights of a model.'
    )


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


def _existing(source: str | Path) -> Path:
    path = local_path(source)
    if path.is_file():
        return path
    found = 'a folder' if path.is_dir() else 'nothing'
    if path.is_symlink():
        found = f'a link to {str(path.readlink())!r}, which is not there,'
    raise ValueError(f'Expected a checkpoint file, found {found} at {str(source)!r}.')


@contextmanager
def _damage_told(path: Path, expected: str, remedy: str = '') -> Iterator[None]:
    """Say of a file that cannot be read what is wrong with it."""
    try:
        yield
    except Exception as error:  # a damaged file makes torch's reader raise almost anything
        raise ValueError(
            f'Expected {expected}, found a file that is damaged or holds other objects at '
            f'{str(path)!r} ({_mistaken(path) or _reason(error)}){remedy}.'
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


def _start(path: Path) -> bytes:
    with open(path, 'rb') as file:
        return file.read(512)


def _mistaken(path: Path) -> str | None:
    """What a file is that is no checkpoint at all, if that can be told."""
    start = _start(path)
    for pattern, kind in MISTAKEN.items():
        if re.match(pattern, start, re.IGNORECASE | re.DOTALL):
            return kind
    try:
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
    except Exception:  # zipfile raises almost anything for what is damaged
        return None
    if any(name.endswith('data.pkl') for name in names):
        return None
    return f'it is a zip of other files, such as {names[0]!r}' if names else 'it is an empty zip'


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
