"""Writing a converted model whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import save_file

from ..checkpoint import State


@contextmanager
def written_whole(target: Path, force: bool) -> Iterator[Path]:
    """A path beside ``target`` to write a file or folder to; it gets the target's name when the
    block ends well and is removed when not.

    Raises:
        ValueError: If the target exists (unless ``force``) or its folder does not.
    """
    if target.exists() and not force:
        raise ValueError(
            f'Expected a new name to write to, found that {str(target)!r} exists; choose another '
            'or give --force.'
        )
    if not target.parent.is_dir():
        raise ValueError(
            f'Expected an existing folder to write to, found none at {str(target.parent)!r}; make '
            'it first.'
        )
    unfinished = target.with_name(f'.unfinished-{os.getpid()}-{target.name}')
    try:
        yield unfinished
        if target.is_dir():  # a folder cannot be renamed onto one with something in it
            shutil.rmtree(target)
        unfinished.replace(target)
    finally:
        if unfinished.is_dir():
            shutil.rmtree(unfinished)
        unfinished.unlink(missing_ok=True)


def save_state(path: Path, state: State, key: str, meta: dict[str, str]) -> None:
    """Write tensors: as safetensors if the name says so, else as PyTorch's file of
    ``{key: tensors, 'meta': meta}``."""
    own = {name: value.detach().clone().contiguous() for name, value in state.items()}
    if path.suffix == '.safetensors':
        save_file(own, path, metadata=meta)
    else:
        torch.save({key: own, 'meta': meta}, path)
