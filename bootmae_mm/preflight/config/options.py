"""Values of ``--cfg-options``, which are text on the command line, as the config means them."""

import copy
import os
from collections.abc import Mapping
from typing import NamedTuple

from mmengine.config import Config
from mmengine.runner import Runner

from .annotations import MAPPING, NUMBER, SEQUENCE, TEXT, kind_of, wanted_kinds
from .parts import Walk
from .registries import HOOK, INNER, SECTIONS, find
from .signatures import keywords_of
from .typed import CLOSING, parse, quoted, scalar, unquoted


class Setting(NamedTuple):
    """What is known of a setting before its value is read.

    Attributes:
        value: What the config has there; None where it has nothing.
        kinds: Kinds of values that its class takes (:func:`.annotations.wanted_kinds`); None if
            that is not known.
    """

    value: object
    kinds: set[str] | None

    @property
    def takes_text(self) -> bool:
        """Whether a text can be meant."""
        return kind_of(self.value) == TEXT if self.kinds is None else TEXT in self.kinds

    @property
    def lists_text(self) -> bool:
        """Whether the items of a list are text, whatever they look like."""
        if self.takes_text and NUMBER not in (self.kinds or ()):
            return True
        items = self.value if kind_of(self.value) == SEQUENCE else ()
        return bool(items) and all(isinstance(item, str) for item in items)


def merge_options(cfg: Config, options: Mapping[str, object]) -> None:
    """Put the command line's settings into a config.

    Args:
        cfg: The config.
        options: Values by dotted key. A text is read as :func:`meant` says; other values are set as
            they are.

    Raises:
        ValueError: If a value cannot be read.
        KeyError, TypeError: As mmengine, if a key does not fit.
    """
    draft = copy.deepcopy(cfg)
    draft.merge_from_dict({key: v for key, v in options.items() if key.endswith('.type')})
    values = {
        key: meant(text, find_setting(cfg, draft, key), key) if isinstance(text, str) else text
        for key, text in options.items()
    }
    cfg.merge_from_dict(values)


def find_setting(cfg: Config, draft: Config, key: str) -> Setting:
    """What is known of a dotted key.

    Args:
        cfg: The config as it is.
        draft: The same with the types of parts that are among the options.
        key: The key.
    """
    *parents, last = key.split('.')
    value = cfg
    for name in key.split('.'):
        value = _item(value, name)
    if not parents:
        return Setting(value, wanted_kinds(keywords_of(Runner).annotations.get(last, object)))
    section, *_ = parents
    place, walk = SECTIONS.get(section, INNER), Walk(section, cfg.get('default_scope'))
    part = draft
    for depth, name in enumerate(parents):
        if depth and isinstance(part, Mapping) and (place is not HOOK or depth > 1):
            place = walk.keys.get(name, INNER)
        part = _item(part, name)
    if last == 'type':
        return Setting(value, {TEXT})
    if place is HOOK and last == 'priority':
        return Setting(value, {TEXT, NUMBER})
    kind = part.get('type', place.default) if isinstance(part, Mapping) else None
    if isinstance(kind, str) and kind:
        kind = find(kind, place, part.get('_scope_', walk.scope))
    annotations = keywords_of(kind).annotations if kind else {}
    return Setting(value, wanted_kinds(annotations.get(last, object)))


def _item(part: object, name: str) -> object:
    if isinstance(part, Mapping | Config):
        return part.get(name)
    is_index = kind_of(part) == SEQUENCE and name.isdigit() and int(name) < len(part)
    return part[int(name)] if is_index else None


def meant(text: str, setting: Setting, key: str) -> object:
    """The value that a text stands for.

    In two pairs of quotes, of which the shell takes one, it is the text in them. Where the setting
    is text it stays as it is, but for None, ``~/``, and what its class takes besides; a name of a
    file that exists is no list. Elsewhere: numbers, words, lists and dicts.

    Raises:
        ValueError: If brackets or quotes do not pair.
    """
    if quoted(text) is not None:
        return quoted(text)
    if text == 'None':
        return None
    try:
        if not setting.takes_text:
            return parse(text, unquoted if setting.lists_text else scalar)
        return _beside_text(text, setting)
    except (SyntaxError, ValueError) as error:
        raise ValueError(
            f'Expected a value whose brackets and quotes pair as {key}, found {text!r} ({error}); '
            f'write {{"a": 1}} for a dict, and {key}="\'…\'" for text with brackets.'
        ) from error


def _beside_text(text: str, setting: Setting) -> object:
    """A value where text can be meant, but perhaps is not."""
    kinds = setting.kinds or {TEXT, MAPPING}
    encloses = CLOSING.get(text[:1]) == text[-1:] and not os.path.exists(text)
    if encloses and kinds & {SEQUENCE, MAPPING}:
        value = parse(text, unquoted if setting.lists_text else scalar)
        if kind_of(value) in kinds:
            return value
    if NUMBER in kinds and kind_of(scalar(text)) == NUMBER:
        return scalar(text)
    return os.path.expanduser(text) if text.startswith('~/') else text
