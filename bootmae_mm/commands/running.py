"""What all commands that train have in common: a config once, then checks, then training."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from ..engine.run_files import last_checkpoint
from . import tools, training
from .machine import Machine, this_machine
from .tools import Say
from .wish import Wish


class Run(NamedTuple):
    """A run that ended.

    Attributes:
        work_dir: Its folder.
        checkpoint: What it wrote last.
        scores: Of its last validation, by mmengine's names; empty after pretraining.
        status: Exit status: 0, or 99 if a signal stopped it before its time.
    """

    work_dir: Path
    checkpoint: Path | None
    scores: dict[str, float]
    status: int


Begin = Callable[[Wish, Machine, Say], None]


def prepare(wish: Wish, begin: Begin, say: Say) -> int:
    """Have the config written, unless it is there, and checked.

    Args:
        wish: What is asked for.
        begin: Looks, chooses, writes ``wish.config`` and says what will happen.
        say: Told a line.

    Returns:
        In how many processes to train.

    Raises:
        ValueError: If the data or the wishes do not make a run, or the folder holds another one.
    """
    machine, config = this_machine(), wish.config
    if config.is_file():
        require_same(config, wish)
        say(f'config     {config} is there and taken as it stands')
    else:
        begin(wish, machine, say)
    total = Config.fromfile(config, import_custom_modules=False).total_batch_size
    processes = machine.processes(total)
    tools.diagnose(config, processes, say)
    return processes


def require_same(config: Path, wish: Wish) -> None:
    """Raise ``ValueError`` if another command wrote a config."""
    if f'    {wish.command()}\n' not in config.read_text(encoding='utf-8'):
        raise ValueError(
            f'Expected a new folder or the command that began the run, found {str(config)!r} of '
            f'another command; to go on with it: python -m bootmae_mm train {config}; or choose '
            'another --out.'
        )


def run(wish: Wish, begin: Begin, say: Say, dry_run: bool = False) -> Run:
    """Prepare a run, and train unless it is a dry run.

    Raises:
        ValueError: As :func:`prepare`.
        RuntimeError: If training fails.
    """
    processes, work_dir, status = prepare(wish, begin, say), wish.config.parent, 0
    if not dry_run:
        status = training.train(wish.config, processes, say)
    ended = Run(work_dir, last_checkpoint(work_dir), training.scores(work_dir), status)
    if not (dry_run or status):
        say(f'done       {ended.checkpoint}; how it went: {work_dir / "report.html"}')
    return ended
