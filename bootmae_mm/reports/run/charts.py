"""Which logged values share a chart."""

import re
import statistics
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .scalars import Curves, Points

# Titles and the names of training values, the first that matches decides; all else is 'other'.
GROUPS = {
    'Losses': r'loss|^L_|\.L_',
    'Learning rate': r'(^|_)lr$',
    'Momentum': r'momentum|teacher_decay$|^decay$',
    'Weight of the feature loss': r'feature_weight$',
    'Gradient norm': r'grad_norm',
    'Spread over the batch (0 is a collapse)': r'spread$',
    "Effective rank of the teacher's features": r'rank$',
    'Distance of the teacher from the student': r'distance$',
    'Training accuracy': r'acc',
    'Share of the time waited for data': r'^data_share$',
    'Time of a step (s)': r'^(data_)?time$',
    'GPU memory (MiB)': r'^memory$',
}
MAY_BE_LOGARITHMIC = ('Losses', 'Gradient norm')
NOT_THERE = -1.0  # COCO's score where a data set has no object of a size
LOWER_IS_BETTER = re.compile(r'loss|err|mae$|rmse|mse$', re.IGNORECASE)
TIMES = ('time', 'data_time')
PROBE = re.compile(r'probe/(student|teacher)_')  # scores of OnlineProbeHook


class Chart(NamedTuple):
    """A chart: title, name -> [(x, value), ...], what x counts, and whether y is logarithmic."""

    title: str
    series: Points
    x_label: str
    log_y: bool = False


class Best(NamedTuple):
    """A score: the last value, and the best one with its place."""

    name: str
    last: float
    best: float
    at: float


def training_charts(curves: Curves) -> Iterator[Chart]:
    """Charts of what training steps logged, but for the values that no group asks for."""
    for title in GROUPS:
        series = {name: p for name, p in curves.train.items() if p and group_of(name) == title}
        if title == 'Learning rate':
            series = without_copies(series)
        if series:
            log_y = title in MAY_BE_LOGARITHMIC and has_peaks(series)
            yield Chart(title, series, 'iteration', log_y)


def score_charts(curves: Curves, unit: str) -> Iterator[Chart]:
    """Charts of validation scores, those of one metric together.

    Args:
        curves: The curves.
        unit: What validations are counted by: 'epoch' or 'iteration'.
    """
    families: dict[str, Points] = {}
    for name, points in scores(curves).items():
        families.setdefault(family_of(name), {})[name] = points
    for family, series in families.items():
        yield Chart(f'Validation: {family}' if family else 'Validation', series, unit)


def probe_charts(curves: Curves) -> Iterator[Chart]:
    """Charts of the scores of probes during pretraining, one for each encoder."""
    encoders: dict[str, Points] = {}
    for name, points in probes(curves).items():
        encoders.setdefault(PROBE.match(name)[1], {})[name.removeprefix('probe/')] = points
    for encoder, series in encoders.items():
        yield Chart(f'Probes of the {encoder}', series, 'iteration')


def other_charts(curves: Curves, unit: str) -> Iterator[Chart]:
    """A chart for each of the other values, whose scales are not known."""
    for name, points in curves.train.items():
        if points and group_of(name) is None:
            yield Chart(name, {name: points}, 'iteration')
    times = {name: points for name, points in curves.val.items() if points and name in TIMES}
    if times:
        yield Chart('Time of a validation batch (s)', times, unit)
    for name, points in curves.other.items():
        if points and not PROBE.match(name):
            yield Chart(name, {name: points}, 'step')


def group_of(name: str) -> str | None:
    """The title of a training value's chart."""
    return next((title for title, pattern in GROUPS.items() if re.search(pattern, name)), None)


def family_of(name: str) -> str:
    """What a score's chart is named after: ``coco/bbox`` of ``coco/bbox_mAP_50``, ``accuracy`` of
    ``accuracy/top1``, nothing of ``mIoU``."""
    if '_mAP' in name:
        return name[: name.index('_mAP')]
    return name.rpartition('/')[0]


def scores(curves: Curves) -> Points:
    """Validation scores without times, and without places where a score is not there."""
    found = {}
    for name, points in curves.val.items():
        if '_mAP' in name:
            points = [(x, value) for x, value in points if value != NOT_THERE]
        if points and name not in TIMES:
            found[name] = points
    return found


def probes(curves: Curves) -> Points:
    """Scores of probes during pretraining."""
    return {name: points for name, points in curves.other.items() if PROBE.match(name) and points}


def best_scores(series: Points) -> Iterator[Best]:
    """Last and best value of every score, the first place where it was reached."""
    for name, points in series.items():
        choose = min if LOWER_IS_BETTER.search(name) else max
        at, best = choose(points, key=lambda point: point[1])
        yield Best(name, points[-1][1], best, at)


def without_copies(series: Mapping[str, list]) -> Points:
    """``base_lr`` only where it is not the same as ``lr``."""
    if series.get('base_lr') == series.get('lr'):
        return {name: points for name, points in series.items() if name != 'base_lr'}
    return dict(series)


def has_peaks(series: Mapping[str, list]) -> bool:
    """Whether all values are positive and the highest so high that it flattens the others."""
    values = [value for points in series.values() for _, value in points]
    return min(values) > 0 and max(values) > 50 * statistics.median(values)
