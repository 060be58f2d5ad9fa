"""How far a long computation is, every few seconds."""

import time

from ..tools import Say


class Pace:
    """Says how many are done, how fast, and for how long it will go on.

    Args:
        total: How many there are.
        done: How many are there from before.
        what: What is counted, such as 'pictures'.
        say: Told a line.
        seconds: Between two lines.
    """

    def __init__(self, total: int, done: int, what: str, say: Say, seconds: float = 5.0) -> None:
        self.total, self.done, self.what, self.say = total, done, what, say
        self.seconds, self.said = seconds, time.monotonic()
        self.first: tuple[float, int] | None = None  # the first few waited for all to start

    def add(self, count: int) -> None:
        """So many more are done."""
        self.reach(self.done + count)

    def reach(self, done: int) -> None:
        """So many are done in all."""
        now, grown = time.monotonic(), done > self.done
        self.done = done
        if self.first is None:
            self.first = (now, done) if grown else None
        elif now - self.said >= self.seconds and self.first[1] < done < self.total:
            rate = (done - self.first[1]) / (now - self.first[0])
            self.say(
                f'{done:,} of {self.total:,} {self.what}, {rate:.3g} a second, about '
                f'{readable((self.total - done) / rate)} left'
            )
            self.said = now


def readable(seconds: float) -> str:
    """A time in the unit that suits it."""
    for limit, unit, length in ((120, 's', 1), (7200, 'minutes', 60), (172_800, 'hours', 3600)):
        if seconds < limit:
            return f'{seconds / length:.0f} {unit}'
    return f'{seconds / 86_400:.1f} days'
