"""Configs as people read them: every number with the reason for it above."""

import textwrap
from collections.abc import Mapping
from pathlib import Path

from .. import shipped

WIDTH = 100


def comment(*sentences: str) -> str:
    """Sentences as lines of comment."""
    return textwrap.fill(
        ' '.join(sentences), WIDTH, initial_indent='# ', subsequent_indent='# ',
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def call(settings: Mapping[str, object]) -> str:
    """Settings as a call of ``dict``, in one line."""
    return f'dict({", ".join(f"{name}={value!r}" for name, value in settings.items())})'


def base(name: str) -> str:
    """The line that inherits from a config of ours, such as ``pretrain/bootmae_vitb_800e``."""
    return f'_base_ = [{str(shipped.folder() / "configs" / name)!r}]'.replace("']", ".py']")


def write_config(path: Path, text: str) -> None:
    """Write a config, and the folder it lies in.

    Raises:
        ValueError: If that is not allowed, or a file has the folder's name.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')
    except OSError as error:
        raise ValueError(
            f'Expected to write {str(path)!r}, found that it cannot be ({error.strerror}); '
            'choose another --out.'
        ) from error
