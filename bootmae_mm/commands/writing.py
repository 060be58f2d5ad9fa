"""Configs as people read them: every number with the reason for it above."""

import textwrap
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from .. import shipped
from .wish import Wish

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


def listed(name: str, values: list[str]) -> str:
    """A variable with a list of texts, in as many lines as it takes."""
    flat = ', '.join(map(repr, values))
    lines = textwrap.fill(
        flat, WIDTH, initial_indent='    ', subsequent_indent='    ', break_on_hyphens=False,
        break_long_words=False,
    )  # fmt: skip
    return f'{name} = [{flat}]' if len(flat) < WIDTH - 20 else f'{name} = [\n{lines},\n]'


def head(wish: Wish, title: str, base: str) -> str:
    """The docstring, the base and the folder of a config.

    Args:
        wish: The command that writes it.
        title: What the config is of.
        base: Name of the config of ours that it inherits from, as ``pretrain/bootmae_vitb_800e``.
    """
    path = shipped.folder() / f'configs/{base}.py'
    return f'''"""{title}, written on {date.today()} by

    {wish.command()}

Train      python -m bootmae_mm train THIS_FILE      (again: goes on where it stopped)
Check      python -m bootmae_mm doctor THIS_FILE
"""

_base_ = [{str(path)!r}]

work_dir = {str(wish.config.parent)!r}
'''


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
