"""Settings that get lost: variables at the top of a config, which nothing reads any more once it
has been read, and the settings that were meant."""

import ast
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mmengine.config import Config

from .annotations import NUMBER, TEXT, kind_of
from .nearest import nearest
from .reading import assignments, place, read_config
from .sections import sections
from .typed import as_option

SHOWN = 8  # settings that a sentence names


def refuse_lost_options(cfg: Config, options: Mapping[str, object]) -> None:
    """Refuse settings of the command line that nothing would read.

    Args:
        cfg: The config without them.
        options: Values by dotted key.

    Raises:
        ValueError: With the settings that may be meant, to be pasted.
    """
    known = sections()
    lost = {key: value for key, value in options.items() if key.partition('.')[0] not in known}
    if not lost:
        return
    keys = ', '.join(lost)
    meant = dict.fromkeys(o for key, value in lost.items() for o in pasted(cfg, key, value))
    advice = f'write --cfg-options {" ".join(meant)}' if meant else _advice(next(iter(lost)), known)
    raise ValueError(
        f'Expected --cfg-options that something reads, found {keys}, which would have no effect '
        f'(a variable in a config file is none any more once the file has been read); {advice}.'
    )


def _advice(key: str, known: Iterable[str]) -> str:
    near = nearest(key.partition('.')[0], known, cutoff=0.8)
    return f'write {near!r}' if near else 'give the whole key, as in train_dataloader.batch_size=64'


def pasted(cfg: Config, key: str, value: object) -> list[str]:
    """``KEY=VALUE`` for every setting that a lost one may mean, as one types it."""
    found = settings_meant(cfg, key, value).items()
    texts = [f'{k}={new}' if isinstance(new, str) else as_option(k, new) for k, new in found]
    return [*map(shlex.quote, texts[:SHOWN]), *(['…'] if len(texts) > SHOWN else [])]


def settings_meant(cfg: Config, key: str, value: object) -> dict[str, object]:
    """Values by the dotted keys that a lost key may mean.

    They are those that end with it, and those that have been made of the variable: equal to it, or
    a path below it. Where there are none, one of a section or a last part with a similar name.

    Args:
        cfg: The config, as it was made of the variable.
        key: A dotted key, or a variable's name.
        value: The value that it was to have.
    """
    known, settings = sections(), _all_settings(cfg)
    found = {name: value for name in settings if name.endswith(f'.{key}')}
    variable, _, rest = key.partition('.')
    found |= _made_of(cfg.get(variable), settings, rest, value, numbers=not found)
    near = nearest(variable, known, cutoff=0.8)
    if found or near is None and variable in cfg:
        return found
    if near is not None:
        return {f'{near}.{rest}' if rest else near: value}
    part, _, last = key.rpartition('.')
    if part:
        return {f'{name}.{last}': value for name in settings if name.endswith(f'.{part}')}
    last = nearest(last, {name.rpartition('.')[2] for name in settings}, cutoff=0.7)
    return {n: value for n in settings if last is not None and n.rpartition('.')[2] == last}


def _made_of(
    old: object, settings: Mapping, rest: str, value: object, numbers: bool
) -> dict[str, object]:
    """The settings that have the value of a variable, also if it is a number (but for 0 and 1,
    which many have) where ``numbers`` says so, or are a path below it."""
    if kind_of(old) == TEXT and not rest and old:
        below = f'{old.rstrip("/")}/'
        return {
            name: f'{value.rstrip("/")}/{setting[len(below) :]}' if setting != old else value
            for name, setting in settings.items()
            if kind_of(setting) == TEXT and (setting == old or setting.startswith(below))
        }
    if kind_of(old) == NUMBER and not numbers or not old or old == 1:
        return {}
    end = f'.{rest}' if rest else ''
    return {name + end: value for name, setting in settings.items() if setting == old}


def _all_settings(cfg: Mapping) -> dict[str, object]:
    """Every setting of the sections by dotted key."""
    known = sections()
    return {k: v for name in cfg if name in known for k, v in _settings(name, cfg[name])}


def _settings(name: str, value: object) -> Iterator[tuple[str, object]]:
    """Every setting of a section and all below it by dotted key."""
    yield name, value
    if isinstance(value, Mapping):
        inner = value.items()
    elif isinstance(value, list | tuple):
        inner = enumerate(value)
    else:
        return
    for key, item in inner:
        yield from _settings(f'{name}.{key}', item)


def refuse_lost_variables(path: str, cfg: Config) -> None:
    """Refuse a config that gives a variable of its bases another value and does not use it, unless
    the settings that were made of it have that value anyway.

    Args:
        path: The config's file.
        cfg: What it says.

    Raises:
        ValueError: With the settings that may be meant.
    """
    written = assignments(path)
    unused = {*written} & {*cfg} - sections() - _names_read(path)
    if not unused or '_base_' not in written:
        return
    base, now = _bases(path, written['_base_']), _all_settings(cfg)
    for name in sorted(name for name in unused & {*base} if cfg[name] != base[name]):
        found = settings_meant(base, name, cfg[name]) or _parts_meant(base, name, cfg[name])
        if found and all(now.get(key) == value for key, value in found.items()):
            continue
        line = place(path, written[name].lineno)
        advice = f'set {", ".join(list(found)[:SHOWN])}' if found else 'set what it was meant for'
        raise ValueError(
            f'Expected settings that something reads in {line}, found {name}, which has no effect '
            f'(a base was made with its own {name}); {advice}.'
        )


def _parts_meant(base: Mapping, name: str, value: object) -> dict[str, object]:
    """Values by the dotted keys that got parts of a variable, as by ``dict(**loader)``; of the
    parts that have changed."""
    old = base[name]
    if not (isinstance(value, Mapping) and isinstance(old, Mapping)):
        return {}
    changed = {part for part in {*value} & {*old} if value[part] != old[part]}
    return {
        key: value[part]
        for key, setting in _all_settings(base).items()
        if (part := key.rpartition('.')[2]) in changed and setting == old[part]
    }


def _names_read(path: str) -> set[str]:
    tree = ast.parse(Path(path).read_text(encoding='utf-8'))
    return {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def _bases(path: str, assignment: ast.Assign) -> dict:
    """What the bases in this folder's reach define."""
    try:
        names = ast.literal_eval(assignment.value)
    except ValueError:  # put together when it is read
        return {}
    found = {}
    for name in [names] if isinstance(names, str) else names:
        if '::' not in name:
            found.update(read_config(os.path.join(os.path.dirname(path), name)))
    return found
