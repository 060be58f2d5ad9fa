"""What the disk refuses, in a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Within it, the folder of ``path`` is there, and what the disk refuses is a ``ValueError``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ValueError(
            f'Expected to write {str(path)!r}, found that it cannot be ({error.strerror}); choose '
            'another --out.'
        ) from error
