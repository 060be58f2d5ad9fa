"""Where a run keeps its checkpoints, by name: for core and for the pages about a run alike, so it
imports no PyTorch."""

import re
from pathlib import Path

NUMBERED = re.compile(r'(epoch|iter)_(\d+)\.pth')
POINTER = 'last_checkpoint'  # mmengine keeps the newest one's path in a file of this name


def numbered(name: str) -> tuple[str, int] | None:
    """What a checkpoint's name says: 'epoch' or 'iter', and how many were done; None of any other
    file."""
    found = NUMBERED.fullmatch(name)
    return (found[1], int(found[2])) if found else None


def checkpoints(folder: str | Path) -> list[Path]:
    """Checkpoints to go on from in a folder (``epoch_3.pth``, ``iter_40.pth``), in no order."""
    folder = Path(folder)
    found = folder.iterdir() if folder.is_dir() else []
    return [path for path in found if numbered(path.name) and path.is_file()]


def last_checkpoint(work_dir: Path) -> Path | None:
    """The checkpoint that mmengine noted last, None if it noted none.

    Its note is an absolute path, which says nothing on another machine: it is the file of that
    name in ``work_dir`` where there is one.
    """
    note = work_dir / POINTER
    if not note.is_file():
        return None
    noted = Path(note.read_text(encoding='utf-8', errors='replace').strip().replace('\\', '/'))
    here = work_dir / noted.name
    return here if here.is_file() else noted
