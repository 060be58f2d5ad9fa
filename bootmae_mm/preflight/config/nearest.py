"""The name that a misspelt one was meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The most similar of the known names, whatever their case; None if none is similar.

    Args:
        name: What was written.
        known: What might have been meant.
        cutoff: Least similarity, 0 to 1 (:class:`difflib.SequenceMatcher`'s ratio).
    """
    by_lower = {other.lower(): other for other in sorted(known)}
    found = get_close_matches(name.lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[found[0]] if found else None


def remedy(name: str, known: Iterable[str]) -> str:
    """What to write instead of ``name``."""
    known = sorted(known)
    near = nearest(name, known)
    if near is not None:
        return f'write {near!r}'
    if not known:
        return 'leave it out'
    return f'choose one of {", ".join(known)}' if len(known) <= 12 else 'leave it out or correct it'
