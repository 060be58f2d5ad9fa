"""Label maps against their pictures and the classes of a head: whether there is something to learn.

The same for folders, for the data sets of a run and, label by label, while loading.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from ...data.files import some
from ...data.label_files import (
    IGNORED,
    UnreadableFile,
    check_size,
    learned_labels,
    read_label_map,
)
from ...data.reading import UnreadableImage, read_with_pillow
from .files import Finding, evenly_spaced

# Of a class that is in one map of ten, a sample of this many for each class hardly misses one.
MAPS_PER_CLASS = 10
SHOWN = 8  # values in a sentence


class LabelRule(NamedTuple):
    """How a config reads label maps.

    Attributes:
        num_classes: Classes of the head.
        reduce_zero_label: Whether 0 is no label and classes count from 1.
        label_map: New labels for old ones, where mmseg takes a part of a data set's classes.
        names: Of the classes, if known.
        ignore_index: The label of pixels without loss.
    """

    num_classes: int
    reduce_zero_label: bool
    label_map: Mapping[int, int] | None = None
    names: Sequence[str] | None = None
    ignore_index: int = IGNORED

    def learned(self, stored: np.ndarray) -> np.ndarray:
        """What the values of a label map become."""
        return learned_labels(stored, self.reduce_zero_label, self.label_map)

    def classes_of(self, values: Sequence[int]) -> dict[int, int]:
        """The class of each value that has one."""
        labels = self.learned(np.array(values, int)).tolist()
        pairs = zip(values, labels, strict=True)
        return {value: label for value, label in pairs if label != self.ignore_index}

    def check(self, stored: np.ndarray, path: str) -> None:
        """Check the values of a label map, see :func:`check_seg_labels`."""
        check_seg_labels(
            self.learned(stored), self.num_classes, path, self.ignore_index, self.reduce_zero_label
        )

    def name(self, label: int) -> str:
        """A class in words."""
        return f'class {label}' if self.names is None else f'class {label} ({self.names[label]})'


class LabelCounts(NamedTuple):
    """Pixels of each value in ``maps`` label maps out of ``total``."""

    pixels: Counter
    maps: int
    total: int

    def __str__(self) -> str:
        """Values with their shares of the pixels."""
        of_all = sum(self.pixels.values())
        shares = [f'{value} ({n / of_all:.1%})' for value, n in sorted(self.pixels.items())]
        return some(shares, SHOWN)


def check_seg_labels(
    labels_HW: np.ndarray,
    num_classes: int,
    path: str,
    ignore_index: int = IGNORED,
    reduce_zero_label: bool = False,
) -> None:
    """Check a label map as mmseg's ``LoadAnnotations`` leaves it.

    Args:
        labels_HW: Integer labels, one per pixel.
        num_classes: Labels run from 0 to one less.
        path: The file, for the message.
        ignore_index: The label of pixels without loss.
        reduce_zero_label: Whether loading took 1 off every label and turned 0 into 255.

    Raises:
        ValueError: If there is another label, naming file and value.
    """
    wrong = (labels_HW >= num_classes) & (labels_HW != ignore_index)
    if not wrong.any():
        return
    value = int(labels_HW[wrong].max())
    if reduce_zero_label:
        found = f'{value} ({value + 1} in the file, as reduce_zero_label takes 1 off)'
        advice = "correct the label map or the head's num_classes"
    else:
        found = str(value)
        advice = (
            "correct the label map or the head's num_classes, or set reduce_zero_label=True if 0 "
            'is the background'
        )
    raise ValueError(
        f'Expected labels 0 to {num_classes - 1}, or {ignore_index} for ignored pixels, found '
        f'{found} in {path!r}; {advice}.'
    )


def check_pair(picture: str, label_map: str, rule: LabelRule) -> None:
    """Read a picture and its label map as training does.

    Raises:
        UnreadableFile: If one cannot be decoded.
        ValueError: If the two differ in size, or a label has no class.
    """
    try:
        size = read_with_pillow(picture)[0].shape
    except UnreadableImage as reason:
        raise UnreadableFile(
            f'Expected an image, found {picture!r} that cannot be decoded ({reason}); copy or '
            'unpack it again.'
        ) from reason
    stored = read_label_map(label_map)
    check_size(label_map, stored.shape, picture, size)
    rule.check(stored, label_map)


def pair_findings(
    pairs: Sequence[tuple[str, str]], rule: LabelRule, split: str, sample: int, replaces: bool
) -> Iterator[Finding]:
    """Look at a sample of pictures and label maps, and at what the labels mean.

    Args:
        pairs: Paths of pictures and label maps.
        rule: How labels are read.
        split: Its name, for the messages.
        sample: How many pairs to decode.
        replaces: Whether a run would do without a file that cannot be read.
    """
    sampled, wrong, unreadable = evenly_spaced(pairs, sample), [], []
    for picture, label_map in sampled:
        try:
            check_pair(picture, label_map, rule)
        except UnreadableFile as problem:
            unreadable.append(str(problem).rstrip('.'))
        except ValueError as problem:
            wrong.append(str(problem).rstrip('.'))
    for problems, level in ((unreadable, 'warning' if replaces else 'error'), (wrong, 'error')):
        if problems:
            yield Finding(
                level,
                f'{split}: {len(problems)} of {len(sampled)} sampled images or label maps are '
                f'wrong: {some(problems)}.',
            )
    if not wrong:
        yield Finding(
            'ok', f'{split}: {len(sampled)} sampled images and label maps decode and fit.'
        )
        counts = count_labels([label_map for _, label_map in pairs], rule, sample)
        yield from label_findings(counts, rule, split)


def count_labels(paths: Sequence[str], rule: LabelRule, sample: int) -> LabelCounts:
    """Count the values of a sample of label maps: of ten times the sample if a class is not in it,
    of a hundred times if only one class is. Files that cannot be read are left to others.

    Raises:
        ValueError: If a label has no class.
    """
    for size in (sample, 10 * sample, 100 * sample):
        looked_at, pixels = evenly_spaced(paths, size), Counter()
        for path in looked_at:
            with suppress(UnreadableFile):
                stored = read_label_map(path)
                rule.check(stored, path)
                counts = np.bincount(stored.ravel())
                pixels.update({int(value): int(counts[value]) for value in counts.nonzero()[0]})
        found = len({*rule.classes_of([*pixels]).values()})
        if found >= rule.num_classes or (found > 1 and size > sample) or len(paths) <= size:
            break
    return LabelCounts(pixels, len(looked_at), len(paths))


def label_findings(counts: LabelCounts, rule: LabelRule, split: str) -> Iterator[Finding]:
    """What is wrong with the values of a split, and what they mean.

    An error where there is nothing to learn; a warning for classes that never occur, if the sample
    is large enough to say so.

    Args:
        counts: The values found.
        rule: How they are read.
        split: Its name; ``'train'`` or ``'training'`` is learned from.
    """
    classes = rule.classes_of([*counts.pixels])
    present = {*classes.values()}
    absent = [label for label in range(rule.num_classes) if label not in present]
    expected = f'Expected pixels of {rule.num_classes} classes in the {split} data set, found'
    found = f'{counts} in {counts.maps:,} label maps'
    meaning = (
        f'where reduce_zero_label is {rule.reduce_zero_label}, {_meaning(counts, classes, rule)}'
    )
    if not absent:
        yield Finding('ok', f'{split}: pixels of every class, {found}.')
    elif not present:
        yield Finding(
            'error',
            f'{expected} the labels {found}; {meaning}, so that there is nothing to learn or to '
            f'measure; {_advice(counts, rule)}.',
        )
    elif len(present) == 1 and split.startswith('train'):
        yield Finding(
            'error',
            f'{expected} the labels {found}; {meaning}, and with one class alone there is nothing '
            f'to learn; {_advice(counts, rule)}.',
        )
    elif counts.maps == counts.total or counts.maps >= MAPS_PER_CLASS * rule.num_classes:
        yield Finding(
            'warning',
            f'{expected} none of {some([rule.name(label) for label in absent])}, but the labels '
            f'{found}; {meaning}; unless the sample just lacks them, {_advice(counts, rule)}.',
        )
    else:
        yield Finding(
            'ok', f'{split}: pixels of {len(present)} of {rule.num_classes} classes in a sample of '
            f'{counts.maps:,} label maps.',
        )  # fmt: skip


def _meaning(counts: LabelCounts, classes: Mapping[int, int], rule: LabelRule) -> str:
    parts = [f'{value} is {rule.name(label)}' for value, label in sorted(classes.items())]
    ignored = [str(value) for value in sorted(counts.pixels) if value not in classes]
    if ignored:
        parts.append(f'{" and ".join(ignored)} {"are" if len(ignored) > 1 else "is"} no label')
    return some(parts, SHOWN)


def _advice(counts: LabelCounts, rule: LabelRule) -> str:
    """What to do, by what the values look like."""
    values, first = {*counts.pixels} - {IGNORED}, int(rule.reduce_zero_label)
    if rule.label_map:
        return (
            'metainfo.classes of this data set takes a part of its own classes: set '
            "type='SegmentationFolders' for others"
        )
    if values <= {0} and IGNORED in counts.pixels:
        numbers = '1 for the background and 2 for the object' if first else '1 for the object'
        return f'write {numbers} instead of 255, which is no label'
    if first and 0 in values and max(values) < rule.num_classes:
        return 'set reduce_zero_label=False in all data sets if 0 is a class'
    return f'write the classes as {first} to {rule.num_classes - 1 + first}'
