"""The documentation: links lead somewhere, and the site builds without a warning."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.helpers.paths import PAGES, ROOT

LINK = re.compile(r'\[[^\]]*\]\(([^)\s]+)\)')
CODE = re.compile(r'^(`{3,}).*?^\1|`[^`\n]+`', re.MULTILINE | re.DOTALL)


def broken_links(page: Path) -> list[str]:
    """Relative links of a Markdown file that lead to no file or folder, or to no heading."""
    broken = []
    for link in LINK.findall(CODE.sub('``', page.read_text())):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if not target.exists() or (parts.fragment and parts.fragment not in anchors(target)):
            broken.append(link)
    return broken


def anchors(page: Path) -> set[str]:
    """The headings of a Markdown file as web sites of repositories name them in links."""
    headings = re.findall(r'^#+ (.+)$', page.read_text(), re.MULTILINE)
    kept = (re.sub(r'[^\w\- ]', '', heading.lower()) for heading in headings)
    return {heading.strip().replace(' ', '-') for heading in kept}


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_files_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    (tmp_path / 'other.md').write_text('# A heading: of words\n')
    page = tmp_path / 'page.md'
    good = '[a](other.md) [b](other.md#a-heading-of-words) [c](https://example.org) `[d](code)`'
    page.write_text(f'{good}\n[over\nlines](none.md) [e](other.md#none)')
    assert broken_links(page) == ['none.md', 'other.md#none']


class Site(HTMLParser):
    """Links and ids of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ('href', 'src') and value:
                self.links.append(value)
            elif name == 'id' and value:
                self.ids.add(value)


def build_site(source: Path, target: Path) -> subprocess.CompletedProcess:
    """As `make docs` does it."""
    options = ['--fail-on-warning', '--fresh-env', '--quiet']
    command = [sys.executable, '-m', 'sphinx', *options, str(source), str(target)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.long
def test_the_site_builds_and_its_links_lead_somewhere(tmp_path: Path) -> None:
    result = build_site(ROOT / 'docs', tmp_path)
    assert result.returncode == 0, result.stderr
    pages = {path: Site(path) for path in tmp_path.rglob('*.html')}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            ids = pages[target].ids if target in pages else ()
            if not target.exists() or (parts.fragment and unquote(parts.fragment) not in ids):
                broken.append(f'{path.relative_to(tmp_path)}: {link}')
    assert broken == []
    for page in ROOT.glob('docs/*.md'):
        assert (tmp_path / f'{page.stem}.html').is_file()
    vit = (tmp_path / 'api/bootmae_mm/encoder/vit/index.html').read_text()
    assert 'BootMAEViT' in vit and 'drop_path_rate' in vit


PAGE = '# Title\n\n{}\n\n```{{toctree}}\napi/index\n```\n'
PACKAGE = '"""A package.\n\n{}\n"""\nfrom .part import Part\n'


def write_project(root: Path, page: str = '', package: str = '') -> Path:
    """The settings with one page and a package of one module, with some text in each; returns the
    folder of the documentation."""
    for name in ('docs', 'bootmae_mm'):
        (root / name).mkdir(exist_ok=True)
    shutil.copy(ROOT / 'docs/conf.py', root / 'docs')
    shutil.copy(ROOT / 'bootmae_mm/version.py', root / 'bootmae_mm')
    (root / 'bootmae_mm/part.py').write_text('class Part:\n    """A part."""\n')
    (root / 'docs/index.md').write_text(PAGE.format(page))
    (root / 'bootmae_mm/__init__.py').write_text(PACKAGE.format(package))
    return root / 'docs'


@pytest.mark.long
def test_what_the_settings_make_of_links_names_and_indented_text(tmp_path: Path) -> None:
    page = '[a part](../bootmae_mm/part.py) [the top](index.md#title)'
    docs = write_project(tmp_path, page, ':class:`bootmae_mm.Part`\n\n    a | b_\n')
    result = build_site(docs, tmp_path / 'site')
    assert result.returncode == 0, result.stderr
    assert 'bootmae_mm/part.py</span>' in (tmp_path / 'site/index.html').read_text()
    api = (tmp_path / 'site/api/bootmae_mm/index.html').read_text()
    assert 'href="part/index.html#bootmae_mm.part.Part"' in api
    assert re.search(r'<pre>.*a \| b_', api)


MISTAKES = {
    'a page': dict(page='[a](none.md)'),
    'a file of the repository': dict(page='[a](../none)'),
    'a heading': dict(page='[a](index.md#none)'),
    'a name in a docstring': dict(package=':func:`bootmae_mm.none`'),
}


@pytest.mark.long
@pytest.mark.parametrize('mistake', MISTAKES.values(), ids=MISTAKES)
def test_a_broken_reference_fails_the_build(mistake: dict, tmp_path: Path) -> None:
    docs = write_project(tmp_path, **mistake)
    result = build_site(docs, tmp_path / 'site')
    assert result.returncode != 0 and 'none' in result.stderr
