"""Pages opened in a real browser: a headless Chromium for a module's tests, what is measured there.

The browser is the one that BOOTMAE_CHROMIUM names, or chromium, chromium-browser or google-chrome
on the PATH; none is ever downloaded. Where there is none, or no playwright, tests are skipped; with
CI set they fail.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

NAMES = ('chromium', 'chromium-browser', 'google-chrome')
PHONE, DESKTOP = 360, 1200  # CSS pixels

# Of every element with text of its own: text, size in px as drawn, contrast to what is behind it.
# Colours of the page are opaque; an SVG scales its text.
TEXTS = """
() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const luminance = colour => {
    const [r, g, b] = numbers(colour).slice(0, 3).map(value => {
      const c = value / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor, alpha = numbers(colour)[3];
      if (alpha === undefined || alpha > 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const own = e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  return [...document.body.querySelectorAll('*')].filter(own).map(e => {
    const style = getComputedStyle(e), svg = e.ownerSVGElement;
    const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
    const [light, dark] = [svg ? style.fill : style.color, behind(e)]
      .map(luminance).sort((a, b) => b - a);
    return {
      text: e.textContent.trim().slice(0, 40),
      size: parseFloat(style.fontSize) * scale,
      contrast: (light + 0.05) / (dark + 0.05),
    };
  });
}
"""
# Labels of charts that stick out of their chart, which cuts them off.
CUT_LABELS = """
() => [...document.querySelectorAll('svg text')].filter(text => {
  const own = text.getBoundingClientRect(), chart = text.ownerSVGElement.getBoundingClientRect();
  return own.left < chart.left || own.right > chart.right || own.top < chart.top
    || own.bottom > chart.bottom;
}).map(text => text.textContent)
"""
WIDTHS = '() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]'


class Text(NamedTuple):
    """Text of an element: its start, its size in px as drawn, its contrast from 1 to 21."""

    text: str
    size: float
    contrast: float


class Opened(NamedTuple):
    """A page in the browser, what it complained about, and the addresses that it asked for."""

    page: object
    complaints: list[str]
    requests: list[str]

    def overhang(self) -> int:
        """Pixels by which the page is wider than the window."""
        page_width, window_width = self.page.evaluate(WIDTHS)
        return page_width - window_width

    def unfold(self) -> None:
        """Open all that is folded."""
        self.page.evaluate('document.querySelectorAll("details").forEach(d => { d.open = true; })')

    def texts(self) -> list[Text]:
        """All text that is shown."""
        return [Text(**found) for found in self.page.evaluate(TEXTS)]

    def cut_labels(self) -> list[str]:
        """Labels of charts that do not fit into their chart."""
        return self.page.evaluate(CUT_LABELS)

    def boxes(self, selector: str) -> list[dict]:
        """x, y, width and height of elements."""
        return [element.bounding_box() for element in self.page.query_selector_all(selector)]


def missing(reason: str) -> None:
    """Skip, or on CI, where the browser belongs to the job, fail."""
    if os.environ.get('CI'):
        pytest.fail(f'CI is set, so that pages must be opened in a browser: {reason}')
    pytest.skip(reason)


def executable() -> str | None:
    """The path of the browser, None if there is none."""
    named = os.environ.get('BOOTMAE_CHROMIUM')
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope='module')
def browser() -> Iterator[object]:
    """A headless Chromium, gone before the tests of other modules: it would wait for the end of
    every process that is forked while it is there.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing('needs the Python package playwright, which the extra dev has')
    path = executable()
    if path is None:
        missing(f'needs {", ".join(NAMES)} on the PATH, or its path in BOOTMAE_CHROMIUM')
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=['--no-sandbox'])
        yield chromium
        chromium.close()


@contextmanager
def opened(browser, path: Path, width: int, scheme: str = 'light') -> Iterator[Opened]:
    """A page of a file, in a window of a width (px) of a reader who prefers 'light' or 'dark'."""
    viewport = dict(width=width, height=800)
    context = browser.new_context(viewport=viewport, color_scheme=scheme)
    try:
        shown = Opened(context.new_page(), [], [])
        shown.page.on('console', lambda message: note_console(shown, message))
        shown.page.on('pageerror', lambda error: shown.complaints.append(f'error: {error}'))
        shown.page.on('request', lambda request: shown.requests.append(request.url))
        shown.page.goto(path.resolve().as_uri())
        yield shown
    finally:
        context.close()


def note_console(shown: Opened, message) -> None:
    """Keep what the console says of errors and warnings."""
    if message.type in ('error', 'warning'):
        shown.complaints.append(f'{message.type}: {message.text}')
