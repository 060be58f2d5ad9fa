"""One run in a work directory at a time."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = '.run.lock'


@contextmanager
def only_run(work_dir: str | Path) -> Iterator[None]:
    """Keep other runs out of a work directory; to be entered by a run's first process.

    The system holds the lock for the process (not for those that it starts) and lets go of it
    however that ends, so that nothing is left behind that would keep the next run out. On a file
    system without locks nothing is kept out.

    Raises:
        ValueError: If another process is training there, with its number and host.
    """
    path = Path(work_dir) / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'a+', encoding='utf-8') as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            file.seek(0)
            raise ValueError(
                f'Expected no other run in {str(work_dir)!r}, found one '
                f'({file.read().strip() or "that has just begun"}); wait for its end, stop it, or '
                'choose another --work-dir.'
            ) from error
        except OSError:  # no locks on this file system
            yield
            return
        file.truncate(0)
        file.write(f'process {os.getpid()} on {socket.gethostname()}\n')
        file.flush()
        yield
