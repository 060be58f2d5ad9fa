"""``python -m bootmae_mm duplicates``: pictures that are nearly the same, by their features.

Shape suffixes: N pictures, D channels.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from ..tools import Say
from .disk import writing
from .embedded_features import read_features
from .pace import Pace
from .similar import most_similar, unit

QUERIES = 16_384  # pictures that are compared with all at a time
MOST = 16  # near-duplicates of a picture that are looked for
ROUNDING = 1e-6  # of a cosine in float32: identical pictures may have less than 1


class Pair(NamedTuple):
    """Two pictures that are nearly the same; ``similarity`` is the cosine of their features."""

    file_a: str
    file_b: str
    similarity: float


class Duplicates(NamedTuple):
    """Near-duplicates.

    Attributes:
        file: The list as .csv.
        pairs: The most similar first; each pair once, in the order of the features.
        groups: Number of groups that the pairs connect.
    """

    file: Path
    pairs: list[Pair]
    groups: int


def near_duplicates(
    features: str | Path,
    *,
    similarity: float = 0.98,
    out: str | Path = 'duplicates.csv',
    kind: str | None = None,
    say: Say | None = None,
) -> Duplicates:
    """List the pairs of pictures whose features are nearly the same.

    Of each picture the 16 nearest are looked at; if all of them are as near, which is told, further
    ones are in the list only as far as they are nearest to others.

    Args:
        features: What ``embed`` wrote.
        similarity: The least cosine, above -1 and up to 1.
        out: The list to write, as .csv: ``file_a``, ``file_b``, ``similarity``.
        kind: Of features, see :func:`.embedded_features.read_features`.
        say: Told what is going on, a line at a time.

    Raises:
        ValueError: If there are no such features, or the similarity is not in its range.
    """
    say = say or (lambda line: None)
    if not -1 < similarity <= 1:
        raise ValueError(f'Expected a similarity above -1 and up to 1, found {similarity:g}.')
    found = read_features(features, kind)
    joined = joined_pairs(unit(found), similarity, say)
    ordered = sorted(joined, key=lambda pair: (-joined[pair], pair))
    pairs = [Pair(found.files[a], found.files[b], joined[a, b]) for a, b in ordered]
    out, groups = Path(out).expanduser(), count_groups(ordered)
    write_pairs(out, pairs)
    say(
        f'{out}: {len(pairs):,} pairs with a similarity of {similarity:g} or more, in {groups:,} '
        f'groups of pictures, among {len(found.files):,}'
    )
    return Duplicates(out, pairs, groups)


def joined_pairs(unit_ND: Tensor, similarity: float, say: Say) -> dict[tuple[int, int], float]:
    """Places of two pictures, the earlier first, and their similarity, where it is enough."""
    total, pairs, crowded = len(unit_ND), {}, 0
    most, pace = min(MOST, total - 1), Pace(total, 0, 'pictures', say)
    for start in range(0, total, QUERIES):
        asked = range(start, min(start + QUERIES, total))
        for own, row in zip(asked, most_similar(unit_ND, asked, most), strict=True):
            near = [(other, s) for other, s in row if s >= similarity - ROUNDING]
            pairs.update({(min(own, other), max(own, other)): s for other, s in near})
            crowded += len(near) == most < total - 1
        pace.add(len(asked))
    if crowded:
        say(f'{crowded:,} pictures have {most} near-duplicates or more; the nearest {most} count')
    return pairs


def count_groups(pairs: Sequence[tuple[int, int]]) -> int:
    """Number of groups that pairs connect."""
    leader = {place: place for pair in pairs for place in pair}

    def lead(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    for a, b in pairs:
        leader[lead(a)] = lead(b)
    return sum(place == own for place, own in leader.items())


def write_pairs(path: Path, pairs: Sequence[Pair]) -> None:
    """Write the list, and the folder it lies in.

    Raises:
        ValueError: If that cannot be.
    """
    with writing(path), open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(Pair._fields)
        writer.writerows((a, b, f'{similarity:.6f}') for a, b, similarity in pairs)
