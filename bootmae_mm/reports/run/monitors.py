"""Warnings and errors by the monitor that wrote them, and the images that could not be read."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .log import Message

# The first that is found in a message decides.
MONITORS = {
    'Health of training': re.compile(
        r'^Iteration \d+, |^Training was stopped at iteration|not finite|\b[Nn]a[Nn]\b'
    ),
    'Waiting for data': re.compile(r'^Training waited '),
    'Images': re.compile(r'^Images in epoch |unreadable image'),
    'Probes': re.compile(r'^The probe after epoch |^Expected time for a probe'),
    'Stopping and going on': re.compile(
        r'^Stopped by |^Going on with |left aside, it is damaged|cannot be read back|'
        r'has made no step for '
    ),
}
OTHER_ERRORS, OTHER_WARNINGS = 'Other errors', 'Other warnings'


class ImageIssues(NamedTuple):
    """Image files with problems: counts by 'skipped' and 'converted', and their (what, path,
    reason)."""

    counts: Counter
    rows: list[tuple[str, str, str]]


def by_monitor(messages: Sequence[Message]) -> dict[str, list[Message]]:
    """Messages by monitor, in the order of time; monitors that wrote nothing have no entry."""
    found: dict[str, list[Message]] = {}
    for name in (*MONITORS, OTHER_ERRORS, OTHER_WARNINGS):
        own = [message for message in messages if monitor_of(message) == name]
        if own:
            found[name] = own
    return found


def monitor_of(message: Message) -> str:
    """The monitor that wrote a message."""
    for name, pattern in MONITORS.items():
        if pattern.search(message.text):
            return name
    return OTHER_WARNINGS if message.level == 'WARNING' else OTHER_ERRORS


def image_issues(path: Path) -> ImageIssues:
    """What ``image_report.tsv`` lists; a row that a crash cut off does not count."""
    if not path.is_file():
        return ImageIssues(Counter(), [])
    lines = path.read_text(encoding='utf-8', errors='replace').split('\n')
    rows = [tuple(row) for line in lines if len(row := line.split('\t')) == 3]
    return ImageIssues(Counter(what for what, _, _ in rows), rows)
