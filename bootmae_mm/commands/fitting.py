"""How fast a config trains on this machine, how much fits into its memory, and what that takes."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from ..preflight.planning.arithmetic import Measurement
from ..preflight.planning.text import duration
from . import tools
from .machine import Machine
from .recipe import power_of_two
from .tools import Say
from .wish import Wish
from .writing import write_config

FIRST_BATCH = 16  # pictures to measure the memory of a GPU with
SHARE = 0.85  # of the memory that a batch may take


class Fit(NamedTuple):
    """A measured config on a machine.

    Attributes:
        machine: The machine.
        processes: To train in.
        measured: On one of its GPUs, or cores.
    """

    machine: Machine
    processes: int
    measured: Measurement

    @property
    def pictures_per_second(self) -> float:
        """Of all processes; without GPUs they load their pictures themselves."""
        rate, loading = self.measured.rate, self.measured.data_rate
        return self.processes * (rate if self.machine.gpus else 1 / (1 / rate + 1 / loading))

    @property
    def workers(self) -> int:
        """Processes that load pictures, for each that trains."""
        return self.machine.workers(-int(-self.measured.rate // self.measured.data_rate))

    @property
    def memory(self) -> int:
        """Bytes for each process."""
        memory = self.machine.memory
        return memory if self.machine.gpus else memory // self.processes

    def bytes(self, batch: int) -> float:
        """What a batch of one process takes."""
        fixed = self.measured.fixed_bytes
        return fixed + (self.measured.peak_bytes - fixed) * batch / self.measured.batch

    def batch(self, total: int) -> int:
        """Pictures of one process at a time: its share of the total batch, or the part of it that
        fits, a power of two."""
        fixed = self.measured.fixed_bytes
        growing = (self.measured.peak_bytes - fixed) / self.measured.batch
        room = max(1, int((SHARE * self.memory - fixed) / growing))
        return power_of_two(min(room, total // self.processes))

    def epochs(self, hours: float, pictures: int) -> int:
        """Passes over the pictures for which there is time.

        Raises:
            ValueError: If there is none for one.
        """
        epochs = int(hours * 3600 * self.pictures_per_second / pictures)
        if not epochs:
            needed = pictures / self.pictures_per_second / 3600
            raise ValueError(
                f'Expected hours for one epoch at least, found {hours:g}, where one takes '
                f'{needed:.2g} ({self.pictures_per_second:.0f} pictures a second); give more '
                '--hours or fewer pictures.'
            )
        return epochs

    def told(self, pictures: int, batch: int) -> list[str]:
        """Time for so many pictures, and memory, a line each."""
        hours = pictures / self.pictures_per_second / 3600
        return [
            f'time       about {duration(hours)}: {self.measured.rate:.3g} pictures a second on '
            f'each of {self.processes} × {self.machine.device}',
            f'memory     about {self.bytes(batch) / 2**30:.2g} of {self.memory / 2**30:.0f} GiB '
            f'each, {batch} pictures at a time',
        ]


def fit(config: Path, machine: Machine, total: int) -> Fit:
    """Measure some steps: of a few pictures, which says how many fit; then, on a GPU, of those.

    Args:
        config: What is to be trained.
        machine: On what.
        total: Pictures in an optimiser step of all processes.
    """
    processes = machine.processes(total)
    share = total // processes
    found = Fit(machine, processes, tools.measure(config, min(FIRST_BATCH, share)))
    batch = found.batch(total)
    if machine.gpus and batch > FIRST_BATCH:
        found = found._replace(measured=tools.measure(config, batch))
    return found


class Choice(Protocol):
    """What a command chose; of its recipe ``pictures``, ``epochs`` and ``total_batch`` are used."""

    recipe: NamedTuple


def fitted(
    wish: Wish,
    machine: Machine,
    choose: Callable[[int | None], Choice],
    text: Callable[[Wish, Choice, Fit | None], str],
    hours_on_cpu: float,
    say: Say,
) -> tuple[Choice, Fit]:
    """Write a config, measure it, and write it again with as many epochs as there is time for.

    Args:
        wish: Its ``epochs`` or ``hours`` are kept to.
        machine: To train on.
        choose: Makes the choice for so many epochs, None for the usual number.
        text: The config of a choice, with a batch and workers for what was measured.
        hours_on_cpu: The most that training takes without a GPU if nothing is wished.
        say: Told a line.
    """
    choice = choose(wish.options.get('epochs'))
    write_config(wish.config, text(wish, choice, None))
    say(f'measuring  some steps on one {machine.device}')
    found = fit(wish.config, machine, choice.recipe.total_batch)
    hours, pictures = wish.options.get('hours'), choice.recipe.pictures
    if hours:
        choice = choose(found.epochs(hours, pictures))
    elif not machine.gpus and 'epochs' not in wish.options:
        choice = choose(min(choice.recipe.epochs, found.epochs(hours_on_cpu, pictures)))
    found = found._replace(processes=machine.processes(choice.recipe.total_batch))
    write_config(wish.config, text(wish, choice, found))
    return choice, found
