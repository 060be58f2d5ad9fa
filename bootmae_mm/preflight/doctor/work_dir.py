"""What is in the run's folder already."""

from collections.abc import Iterator
from pathlib import Path

from ...checkpoint.reading import read_meta
from ...engine.resume import changes, files
from ...engine.run_lock import NAME, only_run
from ..data.files import Finding
from .case import Case


def check_work_dir(case: Case) -> Iterator[Finding]:
    """Whether the run's folder has nothing to go on from, a run of this config, or another one.

    Raises:
        ValueError: If another run is going on there, or it has checkpoints and all are damaged.
    """
    folder = Path(case.cfg.work_dir)
    if folder.exists() and not folder.is_dir():
        yield Finding('error', f'Expected a folder as work_dir, found a file at {str(folder)!r}.')
        return
    if (folder / NAME).is_file():
        with only_run(folder):
            pass
    damaged: list[str] = []
    path = files.newest_intact(folder, damaged.append)
    for sentence in damaged:
        yield Finding('warning', sentence)
    if path is None:
        yield Finding('ok', f'{str(folder)!r} has no checkpoint: a new run.')
        return
    yield from what_changed(case, path)


def what_changed(case: Case, path: Path) -> Iterator[Finding]:
    """The settings of the run that a checkpoint is from, beside today's."""
    meta = read_meta(path)
    if 'training' not in meta:
        yield Finding(
            'error',
            f"Expected a checkpoint of this project's training, found {str(path)!r} without its "
            'settings; choose another --work-dir.',
        )
        return
    relevant, harmless = changes.changes(meta['training'], changes.snapshot(case.cfg))
    if relevant:
        yield Finding('error', changes.refusal(str(path), relevant))
        return
    told = f'; changed without effect: {"; ".join(map(str, harmless))}' if harmless else ''
    steps, epoch = meta['optimizer_steps'], meta['epoch']
    yield Finding(
        'ok', f'The run goes on from {path.name}: {steps} optimiser steps, {epoch} epochs{told}.'
    )
