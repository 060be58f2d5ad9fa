"""Values as one types them on a command line: text into values, and back."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

CLOSING = {'[': ']', '(': ')', '{': '}'}
NOT_PLAIN = frozenset(',[](){}\'"~')
WORDS = {'true': True, 'false': False}


def parse(text: str, leaf: Callable[[str], object]) -> object:
    """The value of a text with brackets, commas and quotes.

    Args:
        text: The text.
        leaf: Reads what has none.

    Raises:
        ValueError, SyntaxError: If brackets or quotes do not pair.
    """
    text = text.strip()
    if text.startswith('{') or text[:1] in CLOSING and {*text} & {'"', "'"}:
        try:
            return ast.literal_eval(text)
        except (SyntaxError, ValueError):
            if text.startswith('{'):
                raise
    if text.startswith('dict('):
        raise ValueError('dict(…) is not read')
    opening = text[:1]
    if ',' not in text and CLOSING.get(opening) is None:
        return leaf(text)
    items = list(_split(text))
    if len(items) > 1:
        return [parse(item, leaf) for item in items if item.strip()]
    if CLOSING.get(opening) != text[-1:]:
        return leaf(text)
    inner = [parse(item, leaf) for item in _split(text[1:-1]) if item.strip()]
    return tuple(inner) if opening == '(' else inner


def _split(text: str) -> Iterator[str]:
    """The parts between the commas that are in no brackets or quotes."""
    start, open_, quote = 0, [], ''
    for index, char in enumerate(text):
        if quote:
            quote = '' if char == quote else quote
        elif char in '\'"' and not text[start:index].strip(' [({'):
            quote = char
        elif char in CLOSING:
            open_.append(CLOSING[char])
        elif char in CLOSING.values() and (not open_ or open_.pop() != char):
            raise ValueError(f'{char} closes nothing')
        elif char == ',' and not open_:
            yield text[start:index]
            start = index + 1
    if open_ or quote:
        raise ValueError(f'there is no closing {quote or open_[-1]}')
    yield text[start:]


def quoted(text: str) -> str | None:
    """The text in quotes; None if it is not in one pair of them."""
    if text[:1] not in ('"', "'"):
        return None
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return None
    return value if isinstance(value, str) else None


def unquoted(text: str) -> str:
    """The text, without quotes if it is in them."""
    inner = quoted(text)
    return text if inner is None else inner


def scalar(text: str) -> object:
    """A number, True, False, None or a text."""
    if quoted(text) is not None:
        return quoted(text)
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None if text == 'None' else WORDS.get(text.lower(), text)


def as_option(key: str, value: object) -> str:
    """``KEY=VALUE``, of which :func:`.options.merge_options` makes this value again.

    Args:
        key: The dotted key.
        value: Text, a path, a number, or lists and dicts of them.
    """
    if isinstance(value, Path):
        value = str(value)
    is_plain = isinstance(value, str) and value == value.strip() and not NOT_PLAIN & {*value}
    is_plain = is_plain and value != '' and scalar(value) == value
    return f'{key}={value if is_plain else repr(value)}'
