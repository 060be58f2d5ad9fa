"""Every ``dict(type=…)`` of a config against the class that it names."""

from collections.abc import Callable, Iterator, Mapping

from torch.utils.data import DataLoader

from ...engine.hooks import DEFAULT_HOOKS, named_hooks
from .annotations import kind_of, mismatch
from .nearest import nearest, remedy
from .registries import (
    HOOK,
    INIT,
    INNER,
    KEYS,
    LOADER_KEYS,
    MODEL_KEYS,
    NORM,
    OPERATORS,
    SECTIONS,
    Place,
    find,
    is_scope,
    known_names,
    other_scopes,
)
from .signatures import keywords_of
from .values import as_number, range_problems

ALWAYS = {'type', '_scope_'}
LOADER_EXTRA = {'num_batch_per_epoch', 'disable_subprocess_warning'}
# What toolboxes call their default hooks.
USUAL_HOOKS = {*DEFAULT_HOOKS, 'visualization'}


def part_problems(cfg: Mapping) -> Iterator[str]:
    """What is wrong with the parts of a whole config, a sentence each."""
    scope = cfg.get('default_scope')
    if scope is not None and not is_scope(scope):  # no type would be found
        return
    for section, place in SECTIONS.items():
        if cfg.get(section) is not None:
            yield from _problems(section, cfg[section], place, Walk(section, scope))
    for split in ('train', 'val', 'test'):
        loader = cfg.get(f'{split}_dataloader')
        if isinstance(loader, Mapping):
            yield from _loader_problems(f'{split}_dataloader', loader, scope)


class Walk:
    """Where in a config we are: the section, and the scope of its types."""

    def __init__(self, section: str, scope: str | None) -> None:
        self.scope = scope
        self.keys = KEYS
        if section.endswith('model'):
            self.keys = {**MODEL_KEYS, 'init_cfg': INIT, 'norm_cfg': NORM}
        elif section.endswith('dataloader'):
            self.keys = {**KEYS, **LOADER_KEYS}


def _problems(setting: str, value: object, place: Place, walk: Walk) -> Iterator[str]:
    """Problems of a value at a place, and of all below it."""
    if isinstance(value, list | tuple):
        if place is HOOK and any(isinstance(item, str) for item in value):
            yield (
                f'Expected hooks in the list {setting}, found names; write {setting} = '
                'dict(NAME=dict(type=…)), which adds to the hooks of the base config.'
            )
        for index, item in enumerate(value):
            yield from _problems(f'{setting}.{index}', item, place, walk)
    elif isinstance(value, Mapping) and setting in ('default_hooks', 'custom_hooks'):
        yield from _hook_problems(setting, value, place, walk)
    elif isinstance(value, Mapping):
        yield from _own_problems(setting, value, place, walk)
        for key, inner in value.items():
            if key not in OPERATORS:
                below = walk.keys.get(key, INNER)
                yield from _problems(f'{setting}.{key}', inner, below, walk)


def _hook_problems(setting: str, hooks: Mapping, place: Place, walk: Walk) -> Iterator[str]:
    """Problems of hooks that go by name: settings are to be those of a hook that is there."""
    hooks = named_hooks(hooks) if setting == 'custom_hooks' else hooks
    typed = {name for name, hook in hooks.items() if isinstance(hook, Mapping) and 'type' in hook}
    usual = USUAL_HOOKS if setting == 'default_hooks' else typed
    for name, hook in hooks.items():
        near = nearest(name, usual, cutoff=0.8)
        if name not in usual and near:
            yield f'Expected the names of {setting}, found {name!r}; write {near!r}.'
        elif isinstance(hook, Mapping) and name not in typed:
            yield (
                f'Expected the names of {setting}, found {name!r} without a type; '
                f'{remedy(name, typed)}, or add type=….'
            )
        else:
            yield from _problems(f'{setting}.{name}', hook, place, walk)


def _own_problems(setting: str, part: Mapping, place: Place, walk: Walk) -> Iterator[str]:
    yield from range_problems(setting, part)
    kind = part.get('type', place.default)
    if kind is None:
        yield f'Expected a type in {setting}, found only {_listed(part)}; add type=….'
        return
    if not kind:
        return
    scope = part.get('_scope_', walk.scope)
    found = find(kind, place, scope) if isinstance(kind, str) else kind
    if found is None:
        yield _unknown_type(setting, kind, place, scope)
    else:
        yield from _against(setting, part, found, place)


def _unknown_type(setting: str, kind: str, place: Place, scope: str | None) -> str:
    elsewhere = other_scopes(kind, place)
    if elsewhere:
        advice = f'write {elsewhere[0]!r}'
    else:
        near = nearest(kind.rpartition('.')[2], known_names(place, scope))
        advice = f'write {near!r}' if near else 'correct it, or import what registers it'
    return (
        f'Expected the name of a registered {place.registry.name} of scope {scope} as '
        f'{setting}.type, found {kind!r}; {advice}.'
    )


def _against(setting: str, part: Mapping, kind: Callable, place: Place) -> Iterator[str]:
    """A part's settings against the signature of its class."""
    keywords, name = keywords_of(kind), getattr(kind, '__name__', str(kind))
    known = {*keywords.defaults, *place.extra}
    if not keywords.opaque:
        yield from _unknown_keys(setting, part, name, known)
    if place.supplied is not None:
        absent = [n for n in keywords.required if n not in part and n not in place.supplied]
        if absent and not (set(part) - ALWAYS - known):  # else it is there, but misspelt
            yield (
                f'Expected {_listed(absent)} among the settings of {name} in {setting}, found '
                f'{_listed(set(part) - ALWAYS)}; add it.'
            )
    for key, value in part.items():
        wanted = mismatch(value, keywords.annotations[key]) if key in keywords.annotations else None
        if wanted is not None and not list(range_problems('', {key: value})):
            advice = as_number(value) if isinstance(value, str) else f'give {wanted}'
            yield (
                f'Expected {wanted} as {setting}.{key} ({name}), found {kind_of(value)}, '
                f'{_short(value)}; {advice}.'
            )


def _unknown_keys(setting: str, part: Mapping, name: str, known: set[str]) -> Iterator[str]:
    for key in part:
        if key not in known and key not in ALWAYS:
            advice = remedy(str(key), known)
            yield f'Expected the settings of {name} in {setting}, found {key!r}; {advice}.'


def _loader_problems(setting: str, loader: Mapping, scope: str | None) -> Iterator[str]:
    """A data loader, which has no type, and what is in it."""
    known = {*keywords_of(DataLoader).defaults, *LOADER_KEYS, *LOADER_EXTRA} - {'datasets'}
    yield from _unknown_keys(setting, loader, 'a data loader', known)
    yield from range_problems(setting, loader)
    for name in ('dataset', 'sampler'):
        if loader.get(name) is None and not any(nearest(key, [name]) for key in loader):
            yield f'Expected a {name} in {setting}, found none; add it.'
    for name in ('persistent_workers', 'prefetch_factor'):
        if loader.get('num_workers', 0) == 0 and loader.get(name):
            yield (
                f'Expected num_workers of at least 1 in {setting}, as {name} is set, found 0; set '
                f'{name} to {"False" if name == "persistent_workers" else "None"}.'
            )
    walk = Walk(setting, scope)
    for key, place in LOADER_KEYS.items():
        if isinstance(loader.get(key), Mapping):
            yield from _problems(f'{setting}.{key}', loader[key], place, walk)


def _listed(names) -> str:
    return ', '.join(map(str, sorted(names))) or 'nothing'


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f'{text[:57]}…'
