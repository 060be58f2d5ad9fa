"""How far apart two sets of tensors are, and where."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from bootmae_mm.checkpoint.differences import largest_relative_difference


class Farthest(NamedTuple):
    """The largest difference of two tensors of a name, relative to the largest value there."""

    difference: float
    name: str


def farthest(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> Farthest:
    """Where two sets are farthest apart."""
    assert found.keys() == expected.keys() and expected
    return max(
        Farthest(largest_relative_difference(found[name].detach(), value.detach()), name)
        for name, value in expected.items()
    )
