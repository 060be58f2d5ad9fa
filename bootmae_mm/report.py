"""One self-contained HTML page from text, tables, line charts and picture grids.

Style sheet, charts (SVG) and pictures (data URIs) are all inside the file; it has no script and
refers to nothing outside itself. It follows the reader's light or dark setting and fits a phone.
"""

import base64
import io
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

_STYLE = """
:root { color-scheme: light dark; --text: #1d2127; --page: #ffffff; --faint: #6a727d;
  --line: #d9dde3; --panel: #f4f5f7; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e7eb; --page: #15181c; --faint: #98a1ad;
  --line: #343a43; --panel: #1f242a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 800px; padding: 16px; color: var(--text);
  background: var(--page); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6em; line-height: 1.25; }
h2 { font-size: 1.2em; margin: 2em 0 0.5em; }
figure { margin: 1.5em 0; }
figure h3 { font-size: 1em; margin: 0 0 0.4em; }
figcaption { color: var(--faint); font-size: 0.9em; margin: 0.4em 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.35em 0.8em; border-bottom: 1px solid var(--line); text-align: right; }
td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
pre { overflow-x: auto; padding: 0.8em; background: var(--panel); border-radius: 6px;
  font-size: 0.85em; }
svg { display: block; width: 100%; max-width: 520px; height: auto; font-size: 13px; }
svg text { fill: var(--faint); }
svg .grid { stroke: var(--line); }
svg polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
.legend { display: flex; flex-wrap: wrap; gap: 0.2em 1.2em; margin: 0.4em 0 0; padding: 0;
  list-style: none; font-size: 0.9em; }
.legend svg { display: inline-block; width: 28px; height: 10px; margin-right: 0.4em; }
.pictures { display: grid; gap: 4px; text-align: center; font-size: 0.85em; hyphens: auto; }
.pictures img { display: block; width: 100%; height: auto; image-rendering: pixelated; }
"""

_COLOURS = ('#2f7fd8', '#d9601e', '#1f9a6d', '#a45fd0', '#b58900', '#cf4a83')
_DASHES = ('none', '7 4', '2 4')
_CHART_WIDTH, _CHART_HEIGHT = 420, 280
_PLOT_LEFT, _PLOT_RIGHT, _PLOT_TOP, _PLOT_BOTTOM = 56, 398, 28, 234
_MAX_POINTS_WITH_MARKERS = 20


# ---------------------------------------------------------------------------------------------
# Line charts


def axis_ticks(low: float, high: float, max_ticks: int = 8) -> list[float]:
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


def _scale(ticks: list[float], start: float, end: float) -> Callable[[float], float]:
    """Maps the range of the ticks to picture coordinates from `start` to `end`."""
    low, high = ticks[0], ticks[-1]
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _check_series(series: Mapping[str, Sequence[tuple[float, float]]]) -> None:
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


def _axes_svg(
    x_ticks: list[float], y_ticks: list[float], x_label: str, y_label: str
) -> Iterator[str]:
    x_scale = _scale(x_ticks, _PLOT_LEFT, _PLOT_RIGHT)
    y_scale = _scale(y_ticks, _PLOT_BOTTOM, _PLOT_TOP)
    left, right, bottom = _PLOT_LEFT, _PLOT_RIGHT, _PLOT_BOTTOM
    for tick in y_ticks:
        y, label = f'{y_scale(tick):.2f}', _tick_label(tick)
        yield f'<line class="grid" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>'
        yield f'<text x="{left - 6}" y="{y}" dy="4" text-anchor="end">{label}</text>'
    for tick in x_ticks:
        x, label = f'{x_scale(tick):.2f}', _tick_label(tick)
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 4}"/>'
        yield f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{label}</text>'
    x, y = (left + right) / 2, _CHART_HEIGHT - 8
    yield f'<text x="{x}" y="{y}" text-anchor="middle">{escape(x_label)}</text>'
    yield f'<text x="4" y="14">{escape(y_label)}</text>'


def line_chart_svg(
    series: Mapping[str, Sequence[tuple[float, float]]], title: str, x_label: str, y_label: str
) -> str:
    """An `<svg>` element with axes and one polyline per series, in the order of the mapping.

    Points are joined in the order given; short series have their points marked.

    Raises:
        ValueError: there is no series, a series has no points, or a value is not finite.
    """
    _check_series(series)
    x_values, y_values = np.concatenate([np.asarray(p, dtype=float) for p in series.values()]).T
    x_ticks = axis_ticks(float(x_values.min()), float(x_values.max()))
    y_ticks = axis_ticks(float(y_values.min()), float(y_values.max()))
    x_scale = _scale(x_ticks, _PLOT_LEFT, _PLOT_RIGHT)
    y_scale = _scale(y_ticks, _PLOT_BOTTOM, _PLOT_TOP)

    parts = [
        f'<svg viewBox="0 0 {_CHART_WIDTH} {_CHART_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">',
        *_axes_svg(x_ticks, y_ticks, x_label, y_label),
    ]
    for index, points in enumerate(series.values()):
        colour, dash = _series_style(index)
        places = [(f'{x_scale(x):.2f}', f'{y_scale(y):.2f}') for x, y in points]
        path = ' '.join(f'{x},{y}' for x, y in places)
        parts.append(f'<polyline stroke="{colour}" stroke-dasharray="{dash}" points="{path}"/>')
        if len(places) <= _MAX_POINTS_WITH_MARKERS:
            parts += [f'<circle fill="{colour}" cx="{x}" cy="{y}" r="3"/>' for x, y in places]
    return '\n'.join([*parts, '</svg>'])


def _legend_html(names: Iterable[str]) -> str:
    items = []
    for index, name in enumerate(names):
        colour, dash = _series_style(index)
        line = f'<line x1="0" x2="28" y1="5" y2="5" stroke="{colour}" stroke-dasharray="{dash}"'
        swatch = f'<svg viewBox="0 0 28 10" aria-hidden="true">{line} stroke-width="3"/></svg>'
        items.append(f'<li>{swatch}{escape(name)}</li>')
    return f'<ul class="legend">{"".join(items)}</ul>'


# ---------------------------------------------------------------------------------------------
# Pictures


def _check_image(image: np.ndarray) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f'pictures must be uint8 arrays (H, W, 3), got {image.dtype} {image.shape}; '
            'convert them first'
        )


def png_data_uri(image: np.ndarray) -> str:
    """A uint8 RGB array (H, W, 3) as a lossless `data:image/png;base64,` address.

    Raises:
        ValueError: the array has another type or shape.
    """
    _check_image(image)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, 'png')
    return 'data:image/png;base64,' + base64.b64encode(buffer.getvalue()).decode('ascii')


# ---------------------------------------------------------------------------------------------
# The page


def _figure(content: str, caption: str) -> str:
    return f'<figure>{content}<figcaption>{escape(caption)}</figcaption></figure>'


class Report:
    """An HTML page that grows from top to bottom; all text given to it is escaped.

    Args:
        title: the page's title and main heading.
    """

    def __init__(self, title: str) -> None:
        self._title = escape(title)
        self._parts: list[str] = []

    def heading(self, text: str) -> None:
        """Start a section."""
        self._parts.append(f'<h2>{escape(text)}</h2>')

    def paragraph(self, text: str) -> None:
        """Add a paragraph of running text."""
        self._parts.append(f'<p>{escape(text)}</p>')

    def code(self, text: str) -> None:
        """Add preformatted text, such as a command or a log."""
        self._parts.append(f'<pre><code>{escape(text)}</code></pre>')

    def table(self, header: Sequence[str], rows: Sequence[Sequence[object]], caption: str) -> None:
        """Add a table; cells are shown as `str` gives them, the first column is aligned left.

        Raises:
            ValueError: a row has not as many cells as the header.
        """
        for row in rows:
            if len(row) != len(header):
                raise ValueError(
                    f'the table has {len(header)} columns, but a row has {len(row)} cells: {row}'
                )
        head = ''.join(f'<th>{escape(str(cell))}</th>' for cell in header)
        body = ''.join(
            '<tr>' + ''.join(f'<td>{escape(str(cell))}</td>' for cell in row) + '</tr>\n'
            for row in rows
        )
        table = f'<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>'
        self._parts.append(_figure(f'<div class="scroll">{table}</div>', caption))

    def line_chart(
        self,
        series: Mapping[str, Sequence[tuple[float, float]]],
        title: str,
        x_label: str,
        y_label: str,
    ) -> None:
        """Add a line chart of name -> [(x, y), ...] with axes and legend.

        Raises:
            ValueError: there is no series, a series has no points, or a value is not finite.
        """
        chart = line_chart_svg(series, title, x_label, y_label)
        self._parts.append(
            f'<figure><h3>{escape(title)}</h3>{chart}{_legend_html(series)}</figure>'
        )

    def image_grid(
        self,
        rows: Sequence[Sequence[np.ndarray]],
        column_labels: Sequence[str],
        caption: str,
        scale: int = 4,
    ) -> None:
        """Add rows of pictures, each a uint8 RGB array (H, W, 3).

        The page holds the arrays as they are; the browser enlarges them `scale` times, without
        interpolation, or less where the screen is narrower.

        Raises:
            ValueError: there is no picture, a row has not as many pictures as there are labels,
                an array has another type or shape, or `scale` is below 1.
        """
        num_columns = len(column_labels)
        if not rows or not num_columns:
            raise ValueError('a picture grid needs at least one row and one column')
        if scale < 1:
            raise ValueError(f'the scale of a picture grid must be at least 1, got {scale}')
        cells = [f'<div>{escape(label)}</div>' for label in column_labels]
        for number, row in enumerate(rows, start=1):
            if len(row) != num_columns:
                raise ValueError(
                    f'the grid has {num_columns} column labels, but row {number} has '
                    f'{len(row)} pictures'
                )
            for image, label in zip(row, column_labels, strict=True):
                alt = escape(f'row {number}: {label}')
                cells.append(f'<img src="{png_data_uri(image)}" alt="{alt}">')
        width = max(image.shape[1] for row in rows for image in row)
        columns = f'repeat({num_columns}, minmax({width}px, {width * scale}px))'
        grid = f'<div class="pictures" style="grid-template-columns: {columns}">'
        content = '\n'.join([grid, *cells, '</div>'])
        self._parts.append(_figure(f'<div class="scroll">{content}</div>', caption))

    def html(self) -> str:
        """The whole page."""
        return '\n'.join(
            [
                '<!DOCTYPE html>',
                '<html lang="en">',
                '<head>',
                '<meta charset="utf-8">',
                '<meta name="viewport" content="width=device-width, initial-scale=1">',
                f'<title>{self._title}</title>',
                f'<style>{_STYLE}</style>',
                '</head>',
                '<body>',
                f'<h1>{self._title}</h1>',
                *self._parts,
                '</body>',
                '</html>',
                '',
            ]
        )

    def save(self, path: str | os.PathLike) -> None:
        """Write the page to a file, making its folder if missing."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.html(), encoding='utf-8')
