"""Weights into a model: all of them, or an error."""

from torch import Tensor, nn


def load_completely(model: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Load every tensor of a model, or fail as :func:`check_complete` does."""
    check_complete(model, state, source)
    model.load_state_dict(state)


def check_complete(model: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Whether weights are all those of a model.

    Args:
        model: Whose they are to be.
        state: Its tensors by name.
        source: Where they come from, for the message.

    Raises:
        ValueError: If a tensor is missing, left over or of another size, with the first of them.
    """
    own = model.state_dict()
    problems = {
        'missing': [name for name in own if name not in state],
        'left over': [name for name in state if name not in own],
        'of another size': [n for n in own if n in state and own[n].shape != state[n].shape],
    }
    found = [
        f'{len(names)} {problem} ({", ".join(names[:3])}{" …" * (len(names) > 3)})'
        for problem, names in problems.items()
        if names
    ]
    if found:
        raise ValueError(
            f'Expected all {len(own)} tensors of this {type(model).__name__} in {source!r} and '
            f'nothing else, found {" and ".join(found)}; give a checkpoint that a run of this '
            'config wrote.'
        )
