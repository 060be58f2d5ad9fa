"""Whether the checkpoints to come will fit on the disk."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from ...engine.hooks import hook_list
from ..data.files import Finding
from .case import Case

# Values that an optimiser keeps for every trained one.
STATES = {'SGD': 1, 'LARS': 1, 'Lion': 1, 'Adam': 2, 'AdamW': 2, 'LAMB': 2}


def check_disk(case: Case) -> Iterator[Finding]:
    """Size × number of the checkpoints against the free space."""
    saving = (case.cfg.get('default_hooks') or {}).get('checkpoint')
    if case.model is None or saving is None:
        why = 'no checkpoints are written' if saving is None else 'the model cannot be built'
        yield Finding('note', f'Not looked at, as {why}.')
        return
    size, count = checkpoint_bytes(case), num_checkpoints(case)
    folder = existing_parent(Path(case.cfg.work_dir))
    free = shutil.disk_usage(folder).free
    sentence = f'{count} checkpoints of {_gib(size)} need {_gib(size * count)}'
    if size * count > free:
        yield Finding(
            'error',
            f'Expected room for the checkpoints, found {_gib(free)} free at {str(folder)!r}, while '
            f'{sentence}; free some, choose another --work-dir or lower max_keep_ckpts.',
        )
    else:
        yield Finding('ok', f'{sentence}; {_gib(free)} are free.')


def checkpoint_bytes(case: Case) -> int:
    """Weights, averages and teacher among them, and the optimiser's state."""
    weights = sum(t.numel() * t.element_size() for t in case.model.state_dict().values())
    trained = sum(p.numel() * p.element_size() for p in case.model.parameters() if p.requires_grad)
    averaged = any('EMAHook' in hook.type for hook in hook_list(case.cfg.get('custom_hooks')))
    states = STATES.get(case.cfg.optim_wrapper.optimizer.type, 2)
    if case.cfg.default_hooks.checkpoint.get('save_optimizer') is False:
        states = 0
    return weights * (1 + averaged) + trained * states


def num_checkpoints(case: Case) -> int:
    """At most at a time: those kept, the best ones, and the one being written."""
    saving = case.cfg.default_hooks.checkpoint
    interval, kept = saving.get('interval', -1), saving.get('max_keep_ckpts', -1)
    written = -(-case.length // interval) if interval > 0 else 1
    best = saving.get('save_best') or []
    best = 1 if isinstance(best, str) else len(best)
    return (min(written, kept) if kept > 0 else written) + best + 1


def existing_parent(path: Path) -> Path:
    """The path, or the nearest folder above it that there is."""
    path = path.absolute()
    return path if path.is_dir() else existing_parent(path.parent)


def _gib(count: int) -> str:
    return f'{count / 2**30:.3g} GiB'
