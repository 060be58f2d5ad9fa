"""How long to measure: rounds within a budget, progress, and steps that do not fit into memory."""

import gc
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import common
import torch

Result = TypeVar('Result')
MOST_ROUNDS = 9
CALLS = 5


def say(line: str) -> None:
    """A line of progress."""
    print(line, flush=True)


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f'{int(seconds) // 60}:{int(seconds) % 60:02}'


def in_turn_within(
    steps: Mapping[str, Callable[[], object]], budget: float, most: int = MOST_ROUNDS
) -> dict[str, list[float]]:
    """Seconds of each step, as :func:`common.in_turn` takes them, in as many rounds as fit into
    ``budget`` seconds with their warm-up: at least one, and no more than ``most``.

    On a GPU a turn of short steps is several of them in a row, so that the host need not wait for
    the device after each.
    """
    start = time.perf_counter()
    times = common.in_turn(steps, rounds=1, warm_up=1)
    spent = time.perf_counter() - start
    each = sum(value for values in times.values() for value in values)
    calls = CALLS if torch.cuda.is_available() and each < 1 else 1
    if calls > 1:
        times = dict.fromkeys(steps, [])
    rounds = rounds_within(budget - spent, calls * each, most - 1)
    if calls > 1:
        rounds = max(1, rounds)
    say(f'    warm-up took {spent:.0f} s; {rounds} rounds to come, {calls * each:.1f} s each')
    turns = {name: partial(repeat, step, calls) for name, step in steps.items()}
    more = common.in_turn(turns, rounds, warm_up=0)
    return {name: times[name] + [value / calls for value in more[name]] for name in steps}


def rounds_within(seconds: float, each: float, most: int) -> int:
    """How many rounds fit into ``seconds``, none if less than one does."""
    return max(0, min(most, int(seconds / each)))


def repeat(step: Callable[[], object], calls: int) -> None:
    """Take several steps."""
    for _ in range(calls):
        step()


def free_memory() -> None:
    """Give back what no object holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def if_it_fits(function: Callable[..., Result], *args, **kwargs) -> Result | None:
    """``function(…)``, or None where the GPU's memory does not suffice, which is freed then."""
    result = None
    try:
        result = function(*args, **kwargs)
    except torch.cuda.OutOfMemoryError as error:
        say(f'    out of memory: {str(error).partition(". ")[0]}')
    free_memory()
    return result


class Progress:
    """Says which section is being measured and when all of them will be done.

    Args:
        expected: Seconds that each section is expected to take, in order.
        limit: Seconds for all of them; None for as long as it takes.
    """

    def __init__(self, expected: Mapping[str, float], limit: float | None = None) -> None:
        self.expected = dict(expected)
        self.limit = float('inf') if limit is None else limit
        self.start = time.perf_counter()

    @property
    def gone(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self.start

    @property
    def left(self) -> float:
        """Seconds until the limit."""
        return max(0.0, self.limit - self.gone)

    def begin(self, section: str) -> None:
        """Say what comes now."""
        names = list(self.expected)
        place = names.index(section)
        to_come = sum(self.expected[name] for name in names[place:])
        say(
            f'[{place + 1}/{len(names)}] {section}   ({clock(self.gone)} gone, about '
            f'{clock(to_come)} to come)'
        )

    def shortage(self, section: str) -> str | None:
        """Why a section does not fit into the limit any more; None if it does."""
        needed = self.expected[section]
        if needed <= self.left:
            return None
        return f'skipped: takes about {needed:.0f} s, {self.left:.0f} s were left'
