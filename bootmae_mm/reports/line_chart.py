"""Line charts as SVG: axes, ticks, one polyline per series, and a legend.

A chart is as wide as a phone's screen leaves room for, so that its text is drawn there at the size
that the style sheet gives, and larger on wider screens.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

Point = tuple[float, float]

WIDTH, HEIGHT = 328, 236
_RIGHT, _TOP, _BOTTOM = 304, 26, 190
_LABEL_GAP, _CHARACTER = 6, 8.4  # room beside the axis, and that a character of a label takes
_COLOURS = ('#2f7fd8', '#d9601e', '#1f9a6d', '#a45fd0', '#b58900', '#cf4a83')
_DASHES = ('none', '7 4', '2 4')
_MAX_POINTS_WITH_MARKERS = 20
_MAX_X_TICKS, _MAX_Y_TICKS = 6, 8
MAX_POINTS = 400  # of a series that are drawn: more than a chart has columns of pixels


class _Axis(NamedTuple):
    """Ticks, where in the picture the axis starts and ends, and the place of a value."""

    ticks: list[float]
    start: float
    end: float
    place: Callable[[float], float]


def axis_ticks(low: float, high: float, max_ticks: int = _MAX_Y_TICKS) -> list[float]:
    """Round numbers, spaced by 1, 2 or 5 times a power of ten, that enclose [low, high].

    Bounds that are equal, or too close to be told apart on an axis, are widened first. There are
    at least 2 ticks and at most `max_ticks` (itself at least 5).
    """
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        margin = abs(low) / 2 or 1.0
        low, high = low - margin, high + margin
    power = 10.0 ** math.floor(math.log10((high - low) / max_ticks))
    for step in (power, 2 * power, 5 * power, 10 * power, 20 * power):
        first, last = math.floor(low / step), math.ceil(high / step)
        if last - first < max_ticks:
            break
    return [float(f'{k * step:.12g}') for k in range(first, last + 1)]


def log_ticks(low: float, high: float, max_ticks: int = _MAX_Y_TICKS) -> list[float]:
    """Powers of ten, evenly spaced, that enclose [low, high]; at least 2, at most `max_ticks`.

    Raises:
        ValueError: `low` is not positive.
    """
    if low <= 0:
        raise ValueError(f'a logarithmic axis needs positive values, got {low}; use a linear one')
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    last = max(last, first + 1)
    stride = math.ceil((last - first) / (max_ticks - 1))
    count = math.ceil((last - first) / stride) + 1
    return [float(f'1e{first + index * stride}') for index in range(count)]


def _linear_axis(ticks: list[float], start: float, end: float) -> _Axis:
    """Maps the range of the ticks to picture coordinates from `start` to `end`."""
    low, high = ticks[0], ticks[-1]
    scale = (end - start) / (high - low)
    return _Axis(ticks, start, end, lambda value: start + (value - low) * scale)


def _log_axis(ticks: list[float], start: float, end: float) -> _Axis:
    """The same for the logarithms."""
    exponents = _linear_axis([math.log10(tick) for tick in ticks], start, end)
    return exponents._replace(ticks=ticks, place=lambda y: exponents.place(math.log10(y)))


def thin(points: Sequence[Point], max_points: int = MAX_POINTS) -> Sequence[Point]:
    """At most `max_points` (at least 4) of a series: the ends, and of every stretch in between the
    lowest and the highest point, so that no peak is lost."""
    if len(points) <= max_points:
        return points
    values = np.array([y for _, y in points], dtype=float)
    kept = [0]
    for stretch in np.array_split(np.arange(1, len(points) - 1), (max_points - 2) // 2):
        inside = values[stretch]
        kept += sorted({int(stretch[inside.argmin()]), int(stretch[inside.argmax()])})
    return [points[index] for index in [*kept, len(points) - 1]]


def _check_series(series: Mapping[str, Sequence[Point]]) -> None:
    if not series:
        raise ValueError('a line chart needs at least one series, got none')
    for name, points in series.items():
        if not points:
            raise ValueError(f'series "{name}" has no points; leave it out or give it some')
        if not np.isfinite(points).all():
            raise ValueError(f'series "{name}" has a value that is not finite; leave it out')


def _series_style(index: int) -> tuple[str, str]:
    """Colour and dash pattern; the pattern changes when all colours have been used."""
    dash = _DASHES[index // len(_COLOURS) % len(_DASHES)]
    return _COLOURS[index % len(_COLOURS)], dash


def _tick_label(value: float) -> str:
    if abs(value) >= 1e6:
        return f'{value / 1e6:g}M'
    if abs(value) >= 1e4:
        return f'{value / 1e3:g}k'
    return f'{value:g}'.replace('e-0', 'e-')


def _axes_svg(x_axis: _Axis, y_axis: _Axis, x_label: str, y_label: str) -> Iterator[str]:
    left, right, bottom = x_axis.start, x_axis.end, y_axis.start
    for tick in y_axis.ticks:
        y, label = f'{y_axis.place(tick):.2f}', _tick_label(tick)
        yield f'<line class="grid" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>'
        yield f'<text x="{left - _LABEL_GAP}" y="{y}" dy="4" text-anchor="end">{label}</text>'
    for tick in x_axis.ticks:
        x, label = f'{x_axis.place(tick):.2f}', _tick_label(tick)
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 4}"/>'
        yield f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{label}</text>'
    x, y = (left + right) / 2, HEIGHT - 8
    yield f'<text x="{x}" y="{y}" text-anchor="middle">{escape(x_label)}</text>'
    yield f'<text x="4" y="14">{escape(y_label)}</text>'


def _left(y_ticks: Sequence[float]) -> float:
    """Where the horizontal axis starts: right of the labels of the vertical one."""
    longest = max(len(_tick_label(tick)) for tick in y_ticks)
    return math.ceil(2 * _LABEL_GAP + longest * _CHARACTER)


def _series_svg(points: Sequence[Point], index: int, x_axis: _Axis, y_axis: _Axis) -> Iterator[str]:
    colour, dash = _series_style(index)
    places = [(f'{x_axis.place(x):.2f}', f'{y_axis.place(y):.2f}') for x, y in thin(points)]
    path = ' '.join(f'{x},{y}' for x, y in places)
    yield f'<polyline stroke="{colour}" stroke-dasharray="{dash}" points="{path}"/>'
    if len(places) <= _MAX_POINTS_WITH_MARKERS:
        for x, y in places:
            yield f'<circle fill="{colour}" cx="{x}" cy="{y}" r="3"/>'


def line_chart_svg(
    series: Mapping[str, Sequence[Point]],
    title: str,
    x_label: str,
    y_label: str,
    log_y: bool = False,
) -> str:
    """An `<svg>` element with axes and one polyline per series, in the order of the mapping.

    Points are joined in the order given; short series have their points marked, long ones are
    thinned out by :func:`thin`.

    Args:
        series: name -> [(x, y), ...].
        title: for those who cannot see the chart.
        x_label: below the horizontal axis.
        y_label: above the vertical axis.
        log_y: whether the vertical axis is logarithmic.

    Raises:
        ValueError: there is no series, a series has no points, a value is not finite, or not
            positive where the axis is logarithmic.
    """
    _check_series(series)
    x_values, y_values = np.concatenate([np.asarray(p, dtype=float) for p in series.values()]).T
    x_ticks = axis_ticks(float(x_values.min()), float(x_values.max()), _MAX_X_TICKS)
    find_ticks, make_axis = (log_ticks, _log_axis) if log_y else (axis_ticks, _linear_axis)
    y_ticks = find_ticks(float(y_values.min()), float(y_values.max()))
    axes = _linear_axis(x_ticks, _left(y_ticks), _RIGHT), make_axis(y_ticks, _BOTTOM, _TOP)
    lines = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        *_axes_svg(*axes, x_label, y_label),
    ]
    for index, points in enumerate(series.values()):
        lines += _series_svg(points, index, *axes)
    return '\n'.join([*lines, '</svg>'])


def legend_html(names: Iterable[str]) -> str:
    """A list of names, each with the line style of its series."""
    items = []
    for index, name in enumerate(names):
        colour, dash = _series_style(index)
        line = f'<line x1="0" x2="28" y1="5" y2="5" stroke="{colour}" stroke-dasharray="{dash}"'
        swatch = f'<svg viewBox="0 0 28 10" aria-hidden="true">{line} stroke-width="3"/></svg>'
        items.append(f'<li>{swatch}{escape(name)}</li>')
    return f'<ul class="legend">{"".join(items)}</ul>'
