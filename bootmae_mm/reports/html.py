"""One self-contained HTML page from text, tables, lists, line charts and pictures.

Style sheet, charts (SVG) and pictures (data URIs) are all inside the file; it has no script and
refers to nothing outside itself. It follows the reader's light or dark setting and fits a phone.
"""

import base64
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from .line_chart import legend_html, line_chart_svg

SMALLEST = 120  # pixels of a picture in a grid on a narrow screen
_STYLE = """
:root { color-scheme: light dark; --text: #1d2127; --page: #ffffff; --faint: #626a75;
  --line: #d9dde3; --panel: #f4f5f7; --alarm: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e7eb; --page: #15181c; --faint: #98a1ad;
  --line: #343a43; --panel: #1f242a; --alarm: #ff9a91; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 800px; padding: 16px; color: var(--text);
  background: var(--page); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6em; line-height: 1.25; margin: 0.4em 0; }
h2 { font-size: 1.2em; margin: 2em 0 0.5em; }
figure { margin: 1.5em 0; }
figure h3 { font-size: 1em; margin: 0 0 0.4em; }
figcaption { color: var(--faint); font-size: 0.9em; margin: 0.4em 0; }
figure.chart, figure.picture { display: inline-block; vertical-align: top; margin: 0.8em 0; }
figure.chart { width: min(100%, 376px); }
figure.picture { max-width: 100%; margin-right: 12px; }
figure.picture img { display: block; max-width: 100%; height: auto; }
figure.picture img.enlarged { image-rendering: pixelated; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.35em 0.6em; border-bottom: 1px solid var(--line); text-align: right; }
th, td { overflow-wrap: normal; }
td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
pre { overflow-x: auto; padding: 0.8em; background: var(--panel); border-radius: 6px;
  font-size: 0.85em; }
details { margin: 0.8em 0; }
summary { cursor: pointer; padding: 0.4em 0; font-weight: 600; }
dl { margin: 0.8em 0; }
dt { color: var(--faint); font-size: 0.9em; }
dd { margin: 0 0 0.6em; }
@media (min-width: 560px) { dl { display: grid; grid-template-columns: 12em 1fr; gap: 0.3em 1em;
  align-items: baseline; }
  dd { margin: 0; } }
.note { margin: 0; padding: 0.5em 0; border-bottom: 1px solid var(--line);
  white-space: pre-line; }
.note span { display: block; color: var(--faint); font-size: 0.85em; }
.note.alarm { color: var(--alarm); }
svg { display: block; width: 100%; max-width: 520px; height: auto; font-size: 13px; }
svg text { fill: var(--faint); }
svg .grid { stroke: var(--line); }
svg polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
.legend { display: flex; flex-wrap: wrap; gap: 0.2em 1.2em; margin: 0.4em 0 0; padding: 0;
  list-style: none; font-size: 0.9em; }
.legend svg { display: inline-block; width: 28px; height: 10px; margin-right: 0.4em; }
.legend i { display: inline-block; width: 1em; height: 1em; margin-right: 0.4em;
  border-radius: 3px; vertical-align: -0.15em; }
.pictures { display: grid; gap: 4px; text-align: center; font-size: 0.85em; hyphens: auto; }
.pictures img { display: block; width: 100%; height: auto; image-rendering: pixelated; }
"""

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

    def facts(self, pairs: Sequence[tuple[str, object]]) -> None:
        """Add names with their values, each value as `str` gives it."""
        rows = (f'<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>' for name, value in pairs)
        self._parts.append('\n'.join(['<dl>', *rows, '</dl>']))

    def note(self, at: str, text: str, alarm: bool = False) -> None:
        """Add a message below when and where it was written; with `alarm` it stands out."""
        kind = 'note alarm' if alarm else 'note'
        self._parts.append(f'<p class="{kind}"><span>{escape(at)}</span>{escape(text)}</p>')

    @contextmanager
    def folded(self, summary: str, is_open: bool = False) -> Iterator[None]:
        """What is added inside is hidden until the reader opens it, unless it is open at first."""
        opening = '<details open>' if is_open else '<details>'
        self._parts.append(f'{opening}<summary>{escape(summary)}</summary>')
        yield
        self._parts.append('</details>')

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
        log_y: bool = False,
    ) -> None:
        """Add a line chart of name -> [(x, y), ...] with axes and legend; charts that follow each
        other stand side by side where the screen is wide enough.

        Raises:
            ValueError: as :func:`.line_chart.line_chart_svg`.
        """
        chart = line_chart_svg(series, title, x_label, y_label, log_y)
        self._parts.append(
            f'<figure class="chart"><h3>{escape(title)}</h3>{chart}{legend_html(series)}</figure>'
        )

    def picture(self, image: np.ndarray, caption: str, min_width: int = 240) -> None:
        """Add a picture, a uint8 RGB array (H, W, 3), no wider than the screen.

        Pictures that follow each other stand side by side where there is room. One narrower than
        `min_width` pixels is enlarged by a whole number, without interpolation.

        Raises:
            ValueError: the array has another type or shape.
        """
        uri, width = png_data_uri(image), image.shape[1]
        scale = max(1, min_width // width)
        kind = ' class="enlarged"' if scale > 1 else ''
        self._parts.append(
            f'<figure class="picture"><img{kind} src="{uri}" width="{width * scale}" '
            f'alt="{escape(caption)}"><figcaption>{escape(caption)}</figcaption></figure>'
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
        columns = f'repeat({num_columns}, minmax({min(width, SMALLEST)}px, {width * scale}px))'
        grid = f'<div class="pictures" style="grid-template-columns: {columns}">'
        content = '\n'.join([grid, *cells, '</div>'])
        self._parts.append(_figure(f'<div class="scroll">{content}</div>', caption))

    def colours(self, legend: Mapping[str, tuple[int, int, int]]) -> None:
        """Add what the colours (R, G, B of 0 to 255) of the pictures above stand for."""
        items = (
            f'<li><i style="background: rgb{colour}"></i>{escape(name)}</li>'
            for name, colour in legend.items()
        )
        self._parts.append(f'<ul class="legend">{"".join(items)}</ul>')

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
