"""The states of all random number generators of a process, as plain values and tensors."""

import random

import numpy as np
import torch


def capture() -> dict:
    """States of Python's, NumPy's (global) and torch's generators, on all GPUs that are in use."""
    version, words, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state()
    return dict(
        python=(version, list(words), gauss),
        numpy=(str(kind), keys.tolist(), int(position), int(has_gauss), float(cached)),
        torch=torch.get_rng_state(),
        cuda=torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    )


def restore(states: dict) -> None:
    """Put back what :func:`capture` gave. The generator of a GPU that is not there any more is left
    out."""
    version, words, gauss = states['python']
    random.setstate((version, tuple(words), gauss))
    kind, keys, position, has_gauss, cached = states['numpy']
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, cached))
    torch.set_rng_state(states['torch'])
    for device, state in enumerate(states['cuda'][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, device)
