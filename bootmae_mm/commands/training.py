"""Training in processes of their own, of whose output the lines that matter are shown."""

import re
import shlex
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..reports.run.scalars import read_scalars
from .tools import Say, environment, training_command

STOPPED = 99  # exit status of a run that a signal stopped, with a checkpoint
PRINTED = 'printed.txt'  # all that a run prints, in its work_dir
STEP = re.compile(r'(?P<what>Epoch|Iter)\(train\)\s+\[\s*(?P<done>\d+)(?:\]\[\s*\d+)?/\d+\]')
SCORES = re.compile(r'(?:Epoch|Iter)\(val\).*?\[\s*(\d+)/\1\]\s+(?P<scores>.*)')
ALARM = re.compile(r' - (WARNING|ERROR) - (?P<text>.*)')
VALUE = re.compile(r'(\S+): +(\S+)')
UNTOLD = (  # of every run, and about mmengine itself
    '"FileClient"', '"HardDiskBackend"', 'The prefix is not set in metric class',
)  # fmt: skip
TIMES = ('data_time', 'time', 'eta', 'step')


class Digest:
    """Shows of a run's output the steps, ever more rarely, all scores, and warnings and errors of
    each kind once.

    Args:
        say: Told a line.
    """

    def __init__(self, say: Say) -> None:
        self.say, self.begin, self.shown = say, time.monotonic(), 0.0
        self.told: set[str] = set()

    def __call__(self, line: str) -> None:
        """Told every line that the run prints."""
        step, scores, alarm = STEP.search(line), SCORES.search(line), ALARM.search(line)
        now = time.monotonic()
        if step and now - self.shown > max(5, (now - self.begin) / 50):
            values = dict(VALUE.findall(line[step.end() :]))
            losses = [f'{k} {v}' for k, v in values.items() if k.startswith(('loss', 'L_'))]
            unit = dict(Epoch='epoch', Iter='iteration')[step['what']]
            self.say(f'{unit} {step["done"]}, {values.get("eta")} left: {", ".join(losses)}')
            self.shown = now
        elif scores:
            values = [f'{k} {v}' for k, v in VALUE.findall(scores['scores']) if k not in TIMES]
            if values:
                self.say(f'scores: {", ".join(values)}')
        elif alarm and self.is_new(alarm['text']):
            self.say(f'{alarm[1].lower()}: {alarm["text"]}')

    def is_new(self, text: str) -> bool:
        """Whether no such warning came before, whatever its numbers are."""
        kind = re.sub(r'\d+', '', text)
        new = kind not in self.told and not text.startswith(UNTOLD)
        self.told.add(kind)
        return new


def train(config: Path, processes: int, say: Say) -> int:
    """Train as a config in its ``work_dir`` says, or go on; returns the exit status, 0 or 99.

    A signal to this process is passed on: the run writes a checkpoint and ends.

    Raises:
        RuntimeError: If training fails.
    """
    command = training_command(config, processes)
    say(f'$ {shlex.join(command)}')
    digest, last = Digest(say), deque(maxlen=20)
    with open(config.parent / PRINTED, 'a', buffering=1, encoding='utf-8') as printed:
        process = subprocess.Popen(
            command, env=environment(), text=True, errors='replace', start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        with passed_on(process):
            for line in process.stdout:
                printed.write(line)
                last.append(line.rstrip())
                digest(line.rstrip())
            status = process.wait()
    if status not in (0, STOPPED):
        say('\n'.join(last))
        raise RuntimeError(f'Training ended with status {status}, see {printed.name}.')
    return status


@contextmanager
def passed_on(process: subprocess.Popen) -> Iterator[None]:
    """Within it, signals that end a program go to a process instead; only the main thread has
    them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kinds = signal.SIGINT, signal.SIGTERM, signal.SIGUSR1
    before = {
        kind: signal.signal(kind, lambda number, _: process.send_signal(number)) for kind in kinds
    }
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def scores(work_dir: Path) -> dict[str, float]:
    """Of the last validation, by mmengine's names; a start that had nothing left to do has none."""
    for logged in sorted(work_dir.glob('*/vis_data/scalars.json'), reverse=True):
        validated = [row.values for row in read_scalars(logged).rows if row.kind == 'val']
        if validated:
            return {name: value for name, value in validated[-1].items() if name not in TIMES}
    return {}
