"""A share of a run's time."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic


class Budget:
    """Says when there is time for a probe, so that all of them stay within a share of the run.

    The share is ``spent / (trained + spent)``, in seconds of wall clock: what probes took, and what
    passed otherwise since the run began, or since probes were added to it.

    Args:
        max_share: Largest share, above 0 and below 1.
        epoch: Epochs done when the run, or this part of it, begins.
        state: What :meth:`state` gave in the run that goes on.
    """

    def __init__(self, max_share: float, epoch: int, state: dict | None = None) -> None:
        state = state or {}
        self.per_trained = max_share / (1 - max_share)
        self.spent = self.spent_before = state.get('spent', 0.0)
        self.trained_before = state.get('trained', 0.0)
        self.first_epoch = state.get('first_epoch', epoch)
        self.cost = state.get('cost')
        self.num_probes = state.get('num_probes', 0)
        self.begin = monotonic()

    def state(self) -> dict:
        """What a run that goes on has to know."""
        return dict(
            spent=self.spent,
            trained=self.trained,
            first_epoch=self.first_epoch,
            cost=self.cost,
            num_probes=self.num_probes,
        )

    @property
    def trained(self) -> float:
        """Seconds that were not spent on probes; not to be asked while one is running."""
        return self.trained_before + monotonic() - self.begin - (self.spent - self.spent_before)

    @property
    def share(self) -> float:
        """The share so far."""
        total = self.trained + self.spent
        return self.spent / total if total else 0.0

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Counts what happens within as spent, also when it fails."""
        begin = monotonic()
        try:
            yield
        finally:
            self.spent += monotonic() - begin

    def allows(self, epoch: int, max_epochs: int) -> bool:
        """Whether a probe that takes ``cost`` seconds fits at the end of an epoch: into the time
        trained so far, and except in the last one in such a way that one more will fit at the end
        of the run, which may take half as long again.

        Args:
            epoch: Epochs done.
            max_epochs: Of the run.
        """
        if self.spent + self.cost > self.per_trained * self.trained:
            return False
        if epoch == max_epochs:
            return True
        per_epoch = self.trained / (epoch - self.first_epoch)
        at_the_end = self.trained + per_epoch * (max_epochs - epoch)
        return self.spent + 2.5 * self.cost <= self.per_trained * at_the_end
