"""Whether a value of a config is of the type that a constructor's annotation asks for.

Annotations are coarse, so only what cannot be meant is found: text for a number, a number for a
list, a list for a name. None and what an annotation's other classes may accept always pass.
"""

import types
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, Union, get_args, get_origin

import numpy as np
import torch

NUMBER, TEXT, SEQUENCE, MAPPING, NONE = 'a number', 'text', 'a list', 'a dict', 'None'
SEVERAL = (list, tuple, set, frozenset, Sequence, Iterable, Collection)


def mismatch(value: object, annotation: object) -> str | None:
    """What was expected, in words, if ``value`` does not fit; None if it does."""
    wanted, found = wanted_kinds(annotation), kind_of(value)
    if wanted is None or found is None or found == NONE or found in wanted:
        return None
    if SEQUENCE in wanted and found in (TEXT, MAPPING) or MAPPING in wanted and found == SEQUENCE:
        return None
    return ' or '.join(sorted(wanted - {NONE}))


def kind_of(value: object) -> str | None:
    """Which kind of thing a value is; None for other ones."""
    if value is None:
        return NONE
    if isinstance(value, int | float):  # and so are True and False
        return NUMBER
    if isinstance(value, str):
        return TEXT
    if isinstance(value, Mapping):
        return MAPPING
    return SEQUENCE if isinstance(value, list | tuple | set) else None


def wanted_kinds(annotation: object) -> set[str] | None:
    """The kinds of values that an annotation takes; None if it may take others."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        parts = [wanted_kinds(part) for part in get_args(annotation)]
        return None if None in parts else set().union(*parts)
    if origin is Literal:
        return {kind_of(value) for value in get_args(annotation)}
    kind = origin or annotation
    if kind in (None, types.NoneType):
        return {NONE}
    if kind in SEVERAL:
        return {SEQUENCE}
    if not isinstance(kind, type):
        return None
    if issubclass(kind, int | float):
        return {NUMBER}
    if issubclass(kind, str):
        return {TEXT}
    if issubclass(kind, Mapping):
        return {MAPPING}
    return {SEQUENCE} if kind in (torch.Tensor, np.ndarray) else None
