"""The pages in a headless Chromium: a run's report and the demo's, on a phone and a desktop."""

import pytest

from bootmae_mm.reports.html import Report
from bootmae_mm.reports.run.page import write_report
from bootmae_mm.studies.demo import summary
from tests.helpers import browser as tools
from tests.helpers.browser import DESKTOP, PHONE, browser, opened  # noqa: F401  (browser is a fixture)
from tests.helpers.demo_outcomes import OUTCOMES, shown
from tests.helpers.run_folders import write_eventful_run

# Page, number of charts, width, scheme.
CASES = [('run', 12, width, scheme) for width in (PHONE, DESKTOP) for scheme in ('light', 'dark')]
CASES += [('demo', 2, PHONE, 'light'), ('demo', 2, DESKTOP, 'dark')]


def demo_page(folder):
    """The demo's page of invented outcomes and random pictures."""
    path = folder / 'demo.html'
    summary.write_report(path, OUTCOMES, shown(), {'all': 1.0})
    return path


@pytest.fixture(scope='module')
def pages(tmp_path_factory):
    """The two pages by name."""
    folder = tmp_path_factory.mktemp('pages')
    return {
        'run': write_report(write_eventful_run(folder / 'run')),
        'demo': demo_page(folder),
    }


@pytest.mark.parametrize(('name', 'num_charts', 'width', 'scheme'), CASES)
def test_a_page_is_readable(browser, pages, name, num_charts, width, scheme):  # noqa: F811
    with opened(browser, pages[name], width, scheme) as shown:
        assert shown.overhang() <= 0
        shown.unfold()
        assert shown.overhang() <= 0
        texts = shown.texts()
        assert len(texts) > 50
        assert [text for text in texts if text.size < 12] == []
        assert [text for text in texts if text.contrast < 4.5] == []
        charts = shown.boxes('svg[role=img]')
        assert len(charts) == num_charts
        for box in charts + shown.boxes('polyline') + shown.boxes('img'):
            assert box['x'] >= 0 and box['width'] > 0
        for box in charts:
            assert box['width'] > 250 and box['height'] > 150
            assert box['x'] + box['width'] <= width
        assert shown.cut_labels() == []
        assert shown.complaints == []
        assert [url for url in shown.requests if not url.startswith(('file:', 'data:'))] == []
        assert sum(url.startswith('file:') for url in shown.requests) == 1


def test_labels_of_any_range_fit_into_their_chart(browser, tmp_path):  # noqa: F811
    page = Report('ranges')
    for low, high in ((0.10005, 0.10009), (-1.5e-4, 2e-4), (-9e8, 8e8), (1e-9, 1.1e-9), (0, 1e12)):
        page.line_chart({'s': [(0, low), (249_999, high)]}, f'{low} {high}', 'iteration', 'y')
    page.line_chart({'s': [(100, 1e-19), (9_000, 1)]}, 'log', 'iteration', 'y', log_y=True)
    page.save(tmp_path / 'ranges.html')
    with opened(browser, tmp_path / 'ranges.html', PHONE) as shown:
        assert len(shown.boxes('svg text')) > 60
        assert shown.cut_labels() == []


def test_charts_stand_side_by_side_where_there_is_room(browser, pages):  # noqa: F811
    for width, columns in ((PHONE, 1), (DESKTOP, 2)):
        with opened(browser, pages['run'], width) as shown:
            assert len({box['x'] for box in shown.boxes('figure.chart')}) == columns


def test_dark_and_light_differ(browser, pages):  # noqa: F811
    colours = []
    for scheme in ('light', 'dark'):
        with opened(browser, pages['run'], PHONE, scheme) as shown:
            colours.append(shown.page.evaluate('getComputedStyle(document.body).backgroundColor'))
    assert colours == ['rgb(255, 255, 255)', 'rgb(21, 24, 28)']


def test_what_is_measured_finds_a_page_that_is_bad(browser, tmp_path):  # noqa: F811
    """The yardstick itself: a page too wide, with small pale text, that asks the network and
    complains."""
    page = Report('bad').html()
    bad = (
        '<p style="width: 500px; font-size: 9px; color: #999">pale</p><p>Title</p>'
        '<img src="http://localhost:1/a.png"><script>console.warn("w"); throw Error("e")</script>'
    )
    path = tmp_path / 'bad.html'
    path.write_text(page.replace('</body>', f'{bad}</body>'))
    with opened(browser, path, PHONE) as shown:
        assert shown.overhang() > 100
        pale = next(text for text in shown.texts() if text.text == 'pale')
        assert pale.size == 9 and pale.contrast == pytest.approx(2.849, abs=0.01)
        fine = next(text for text in shown.texts() if text.text == 'Title')
        assert fine.size == 16 and fine.contrast == pytest.approx(16.2, abs=0.2)
        assert any(url.startswith('http:') for url in shown.requests)
        assert {text.split(':')[0] for text in shown.complaints} == {'warning', 'error'}


def test_without_a_browser_tests_are_skipped_and_on_ci_fail(monkeypatch):
    monkeypatch.delenv('CI', raising=False)
    with pytest.raises(pytest.skip.Exception, match='no browser'):
        tools.missing('no browser')
    monkeypatch.setenv('CI', '1')
    with pytest.raises(pytest.fail.Exception, match='CI is set.*no browser'):
        tools.missing('no browser')
    monkeypatch.delenv('BOOTMAE_CHROMIUM', raising=False)
    monkeypatch.setenv('PATH', '')
    assert tools.executable() is None
    monkeypatch.setenv('BOOTMAE_CHROMIUM', '/my/chromium')
    assert tools.executable() == '/my/chromium'
