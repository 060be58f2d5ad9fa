"""Reading weights from files that need not be trusted."""

from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from safetensors.torch import load_file
from torch import Tensor

from .release import State


def read_state_dict(path: str | Path) -> State:
    """Read the weights of a checkpoint file without ever running code in it.

    Reads PyTorch files of mmengine, of the release and of bare weights; and safetensors, known by
    their suffix ``.safetensors``.

    Raises:
        ValueError: If there is no such file, it is damaged, it holds objects other than tensors,
            mmengine's log buffers and the parsed arguments of a command line, or no weights are in
            it.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'Expected a checkpoint file, found nothing at {str(path)!r}.')
    try:
        if path.suffix == '.safetensors':
            content = load_file(path)
        else:
            with torch.serialization.safe_globals(_safe_globals()):
                content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # a damaged file makes torch's reader raise almost anything
        first_line = str(error).strip().partition('\n')[0]
        raise ValueError(
            f'Expected a checkpoint of tensors, found a file that is damaged or holds other '
            f'objects at {str(path)!r} ({first_line}).'
        ) from error
    for key in ('state_dict', 'model', 'module'):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not any(isinstance(v, Tensor) for v in content.values()):
        raise ValueError(f'Expected weights in {str(path)!r}, found none.')
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}


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
