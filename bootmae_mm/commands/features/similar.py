"""Which pictures have the features most like those of another.

Shape suffixes: N pictures, Q of them asked about, K neighbours, D channels.
"""

from collections.abc import Iterator, Sequence

import torch
from mmengine.device import get_device
from torch import Tensor

from ...transfer.knn import nearest
from .embedded_features import Features


def unit(features: Features) -> Tensor:
    """The features as vectors of length 1, ``(N, D)`` on the host; in the same memory.

    Raises:
        ValueError: If one of them is not finite.
    """
    values_ND = torch.from_numpy(features.values).flatten(1)
    lengths_N1 = values_ND.norm(dim=1, keepdim=True)
    if not lengths_N1.isfinite().all():
        name = features.files[int((~lengths_N1.isfinite()).nonzero()[0, 0])]
        raise ValueError(
            f'Expected features that are finite numbers, found others of {name!r}; embed with an '
            'encoder that has not diverged.'
        )
    return values_ND.div_(lengths_N1.clamp_min(1e-12))


def most_similar(
    unit_ND: Tensor, asked: Sequence[int], count: int
) -> Iterator[list[tuple[int, float]]]:
    """For each of some pictures the places of the nearest, but itself, and their similarities."""
    queries_QD = unit_ND[torch.as_tensor(asked)].to(get_device())
    similarity_QK, index_QK = nearest(queries_QD, unit_ND, count + 1)
    rows = zip(asked, index_QK.tolist(), similarity_QK.clamp(-1, 1).tolist(), strict=True)
    for own, indices, similarities in rows:
        others = [x for x in zip(indices, similarities, strict=True) if x[0] != own]
        yield others[:count]
