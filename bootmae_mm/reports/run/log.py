"""mmengine's text log: warnings and errors, the environment, and how training went on.

Two warnings are left out, of "FileClient" and of "HardDiskBackend". mmengine's checkpoint hook
writes them about its own code at the start of every training, whatever its settings are.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

TIME = '%Y/%m/%d %H:%M:%S'
RECORD = re.compile(
    r'(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) - .+? - '
    r'(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) - (?P<text>.*)',
    re.DOTALL,
)
ERROR_PLACE = re.compile(r'^\S.*? - \S+ - \d+ - ')  # mmengine puts file, function, line before it
TERMINAL_CODES = re.compile(r'\x1b\[[0-9;]*m')
BY_EPOCH = re.compile(r'Epoch\(train\)\s+\[\s*(\d+)\]\[\s*(\d+)/(\d+)\]')
BY_ITERATION = re.compile(r'Iter\(train\)\s+\[\s*(\d+)/(\d+)\]')
SAVED = re.compile(r'Saving checkpoint at (\d+) (epoch|iteration)s')
STOP = re.compile(
    r'(?:Stopped by (?P<signal>\w+) after|Training was stopped at) iteration (?P<iteration>\d+)'
)
FACT = re.compile(r'    (\S[^:]*): (.*)')
UNTOLD = ('PyTorch compiling details', 'numpy_random_seed', 'MUSA available')
OF_EVERY_RUN = (
    '"FileClient" will be deprecated in future',
    '"HardDiskBackend" is the alias of "LocalBackend"',
)
MAX_TEXT = 2000  # characters of a message


class Message(NamedTuple):
    """A warning or an error: when it was written, after which step, and what it says."""

    time: str
    level: str
    after: str
    text: str


class Stop(NamedTuple):
    """Where a training was stopped, and by which signal; by a monitor if by None."""

    iteration: int
    signal: str | None


@dataclass
class Log:
    """What a run's log says.

    Attributes:
        messages: Warnings and errors in order, without those of ``OF_EVERY_RUN``.
        environment: Versions, devices and settings of the process, by name.
        first_time: Time of the first record; None if there is none.
        last_time: Time of the last record; None if there is none.
        epoch_length: Iterations of an epoch, None where unknown.
        saved: Newest checkpoint by ``epoch`` and ``iteration``.
        stop: Why a signal or a monitor stopped the training, else None.
    """

    messages: list[Message] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    first_time: datetime | None = None
    last_time: datetime | None = None
    epoch_length: int | None = None
    saved: dict[str, int] = field(default_factory=dict)
    stop: Stop | None = None


def read_log(path: Path) -> Log:
    """A run's log; an empty one if there is no file."""
    log, after, first, last = Log(), 'before the first logged step', '', ''
    if not path.is_file():
        return log
    with open(path, encoding='utf-8', errors='replace') as file:
        for time, level, text in records(file):
            first, last = first or time, time
            if text.startswith(OF_EVERY_RUN):
                continue
            if level in ('WARNING', 'ERROR', 'CRITICAL'):
                message = Message(time, level, after, _shown(text, level))
                log.messages.append(message)
                log.stop = _stop(message.text) or log.stop
            else:
                after = _note_progress(log, text) or after
    if first:
        log.first_time, log.last_time = (datetime.strptime(t, TIME) for t in (first, last))
    return log


def records(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Time, level and text of the records of a log; lines before the first one belong to none."""
    start, rest = None, []
    for line in lines:
        found = RECORD.match(line)
        if found:
            if start:
                yield start['time'], start['level'], start['text'] + ''.join(rest)
            start, rest = found, []
        else:
            rest.append(line)
    if start:
        yield start['time'], start['level'], start['text'] + ''.join(rest)


def _shown(text: str, level: str) -> str:
    if level == 'ERROR':
        text = re.sub(ERROR_PLACE, '', text, count=1)
    text = TERMINAL_CODES.sub('', text).strip()
    return text if len(text) <= MAX_TEXT else f'{text[:MAX_TEXT]} …'


def _stop(text: str) -> Stop | None:
    found = STOP.match(text)
    return Stop(int(found['iteration']), found['signal']) if found else None


def _note_progress(log: Log, text: str) -> str | None:
    """Keep what a record without alarm tells; return the step it is about, if any."""
    if 'System environment:' in text:
        facts = (FACT.fullmatch(line) for line in text.splitlines())
        log.environment = {f[1]: f[2] for f in facts if f and f[1] not in UNTOLD}
    saved = SAVED.search(text)
    if saved:
        log.saved[saved[2]] = int(saved[1])
    by_epoch, by_iteration = BY_EPOCH.match(text), BY_ITERATION.match(text)
    if by_epoch:
        log.epoch_length = int(by_epoch[3])
        return f'after step {by_epoch[2]} of {by_epoch[3]} of epoch {by_epoch[1]}'
    if by_iteration:
        return f'after iteration {by_iteration[1]}'
    return None
