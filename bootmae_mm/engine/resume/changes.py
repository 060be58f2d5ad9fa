"""What a changed config changes in a run that goes on."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from ..hooks import changes_training, hook_list

# The parts of a config that training reads; all else is variables for inheritance, or about tests.
TRAINING = (
    *('model', 'data_preprocessor', 'train_dataloader', 'train_cfg', 'optim_wrapper'),
    *('param_scheduler', 'auto_scale_lr', 'default_hooks', 'custom_hooks', 'randomness'),
)
# Where a change leaves every step as it is, besides hooks whose class says so: the total batch is
# kept whatever the batch size.
HARMLESS = re.compile(
    r'train_dataloader\.(num_workers|persistent_workers|pin_memory|prefetch_factor|batch_size)'
    r'|train_cfg\.(val_begin|val_interval|type)'
    r'|default_hooks\.(timer|logger|checkpoint|visualization)\b.*'  # mmengine's
    r'|train_dataloader\.dataset\.pipeline\.CheckSegLabels\..*'
    r'|custom_hooks\.order'
    r'|param_scheduler\.WarmUpLR\..*'  # a schedule goes on as the checkpoint has it
)
# What took the place of others in the project's own configs, and reads the same.
SUCCESSORS = {
    'ImageNet': 'ImageFolders',
    'CustomDataset': 'ImageFolders',
    'ADE20KDataset': 'ADE20K',
    'CocoDataset': 'CocoInstances',
    'LinearLR': 'WarmUpLR',
    'LoadImageFromFile': 'LoadAnyImage',
    'LoadAnnotations': 'LoadLabelMap',
}
MISSING = '(not there)'


class Change(NamedTuple):
    """A setting that differs: its dotted name, the value of the checkpoint's run, today's."""

    key: str
    before: str
    now: str

    def __str__(self) -> str:
        return f'{self.key}: {self.before} -> {self.now}'


def refusal(checkpoint: str, relevant: Iterable[Change]) -> str:
    """Why a run cannot go on with changes that change the result, and what to do."""
    listed, folder = [*map(str, relevant)], str(Path(checkpoint).parent)
    return (
        f'Expected the settings that {checkpoint!r} was written with, found {len(listed)} that '
        f"change the result ({'; '.join(listed)}); undo them (the run's own config is kept in "
        f'{folder!r}), choose another --work-dir, or go on with --accept-changes.'
    )


def snapshot(cfg: Config) -> str:
    """The parts of a config that training reads, as JSON text to keep in a checkpoint; custom hooks
    without their names."""
    content = cfg.to_dict()
    parts = {key: content[key] for key in TRAINING if content.get(key) is not None}
    if 'custom_hooks' in parts:
        parts['custom_hooks'] = hook_list(parts['custom_hooks'])
    return json.dumps(parts, default=str, sort_keys=True)


def changes(before: str, now: str) -> tuple[list[Change], list[Change]]:
    """What differs between two snapshots.

    Returns:
        Changes that change the result, and those that do not.
    """
    parts = json.loads(before), json.loads(now)
    succeeded = []
    old, new = (dict(_flat(part)) for part in (_renewed(*parts, succeeded), parts[1]))
    found = [
        Change(key, _text(old, key), _text(new, key))
        for key in sorted({*old, *new})
        if old.get(key, MISSING) != new.get(key, MISSING)
    ]
    inert = _inert_hooks(*parts)
    harmless = [
        change
        for change in found
        if HARMLESS.fullmatch(change.key) or f'{change.key}.'.startswith(inert)
    ]
    return [change for change in found if change not in harmless], [*succeeded, *harmless]


def _renewed(old: object, new: object, met: list[Change], name: str = '') -> object:
    """Old settings with the types that the new ones have as their successors, which are noted in
    ``met``."""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = zip(old, new, strict=True)
        return [_renewed(*pair, met, f'{name}.{i}') for i, pair in enumerate(pairs)]
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return old
    old = {
        key: _renewed(value, new.get(key), met, f'{name}.{key}'.lstrip('.'))
        for key, value in old.items()
    }
    kind = old.get('type')
    if kind in SUCCESSORS and SUCCESSORS[kind] == new.get('type'):
        met.append(Change(f'{name}.type', json.dumps(kind), json.dumps(new['type'])))
        old['type'] = new['type']
    return old


def _inert_hooks(*snapshots: Mapping) -> tuple[str, ...]:
    """Beginnings of the dotted names of hooks that change no step, in whichever snapshot."""
    hooks = [hook for parts in snapshots for hook in _hooks(parts)]
    changing = {name for name, kind in hooks if changes_training(kind)}
    return tuple(f'{name}.' for name, _ in hooks if name not in changing)


def _hooks(parts: Mapping) -> Iterator[tuple[str, str]]:
    """Dotted name and type of every hook of a snapshot."""
    for name, hook in (parts.get('default_hooks') or {}).items():
        if hook is not None:
            yield f'default_hooks.{name}', hook['type']
    for hook in parts.get('custom_hooks') or ():
        yield f'custom_hooks.{hook["type"]}', hook['type']


def _text(values: Mapping, key: str) -> str:
    return json.dumps(values[key]) if key in values else MISSING


def _flat(part: object, name: str = '') -> Iterator[tuple[str, object]]:
    """The leaves of nested settings by their dotted names. Elements of a list go by their type
    where each has its own, and the order of the types is a leaf of its own; else by their index."""
    prefix = f'{name}.' if name else ''
    if isinstance(part, list):
        types = [item.get('type') if isinstance(item, dict) else None for item in part]
        if part and None not in types and len({*types}) == len(types):
            yield f'{prefix}order', types
            part = dict(zip(types, part, strict=True))
        elif any(isinstance(item, dict | list) for item in part):
            part = {str(index): item for index, item in enumerate(part)}
    if isinstance(part, dict) and part:
        for key, value in part.items():
            yield from _flat(value, f'{prefix}{key}')
    else:
        yield name, part
