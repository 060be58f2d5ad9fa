"""The report page, read back with the standard library's HTML parser."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from bootmae_mm.reports.html import Report
from bootmae_mm.reports.line_chart import HEIGHT, MAX_POINTS, WIDTH, axis_ticks, log_ticks, thin
from tests.helpers.html import Page


def random_image(seed: int, height: int = 6, width: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def polyline_points(page: Page) -> list[np.ndarray]:
    return [
        np.array([point.split(',') for point in line['attrs']['points'].split()], dtype=float)
        for line in page.all('polyline')
    ]


@pytest.fixture
def report() -> Report:
    return Report('Title')


def test_page_is_self_contained_and_complete(tmp_path):
    report = Report('A & B')
    report.heading('Section')
    report.paragraph('Text')
    report.table(['a'], [[1]], 'caption')
    report.line_chart({'s': [(0, 1), (1, 2)]}, 'chart', 'x', 'y')
    report.image_grid([[random_image(0)]], ['picture'], 'grid')
    report.code('make demo')
    path = tmp_path / 'folder' / 'report.html'
    report.save(path)
    html = path.read_text(encoding='utf-8')
    assert html == report.html()
    assert html.startswith('<!DOCTYPE html>')

    page = Page(html)
    assert page.texts('title') == page.texts('h1') == ['A & B']
    references = [
        value
        for element in page.elements
        for name, value in element['attrs'].items()
        if name in ('src', 'href', 'srcset', 'xlink:href', 'data', 'action')
    ]
    assert len(references) == 1 and references[0].startswith('data:image/png;base64,')
    assert not page.all('script') and not page.all('link')
    assert not re.search(r'https?:|url\(|@import', html)
    assert any(meta['attrs'].get('name') == 'viewport' for meta in page.all('meta'))
    assert 'prefers-color-scheme: dark' in page.texts('style')[0]


def test_parts_keep_their_order(report):
    report.paragraph('first')
    report.heading('second')
    report.code('third')
    report.paragraph('fourth')
    shown = [e['text'] for e in Page(report.html()).elements if e['tag'] in ('p', 'h2', 'code')]
    assert shown == ['first', 'second', 'third', 'fourth']


def test_all_text_is_escaped():
    hostile = '<b a="1">&\'x</b>'
    report = Report(hostile)
    report.heading(hostile)
    report.paragraph(hostile)
    report.code(hostile)
    report.table([hostile], [[hostile]], hostile)
    report.line_chart({hostile: [(0, 0)]}, hostile, hostile, hostile)
    report.image_grid([[random_image(0)]], [hostile], hostile)
    page = Page(report.html())
    assert not page.all('b')
    for tag in ('title', 'h1', 'h2', 'h3', 'p', 'code', 'th', 'td', 'figcaption', 'li'):
        assert hostile in page.texts(tag), tag
    assert page.texts('text').count(hostile) == 2
    assert page.all('svg')[0]['attrs']['aria-label'] == hostile
    assert page.all('img')[0]['attrs']['alt'] == f'row 1: {hostile}'


def test_table_cells(report):
    report.table(
        ['run', 'accuracy', 'n'], [['scratch', '20.8 %', 3], ['ours', 37.5, None]], 'Top 1'
    )
    page = Page(report.html())
    assert page.texts('th') == ['run', 'accuracy', 'n']
    assert page.texts('td') == ['scratch', '20.8 %', '3', 'ours', '37.5', 'None']
    assert len(page.all('tr')) == 3
    assert page.texts('figcaption') == ['Top 1']
    with pytest.raises(ValueError, match='3 columns, but a row has 2 cells'):
        report.table(['a', 'b', 'c'], [[1, 2]], '')


def test_polylines_are_the_data_up_to_scale_and_offset(report):
    series = {
        'rising': [(0, -2.5), (10, 0.0), (40, 1.0), (100, 7.25)],
        'falling': [(5, 3.0), (20, 2.0), (95, -1.0)],
    }
    report.line_chart(series, 'Losses', 'step', 'loss')
    page = Page(report.html())
    lines = polyline_points(page)
    assert [len(line) for line in lines] == [4, 3]
    assert (np.diff(lines[0][:, 0]) > 0).all() and (np.diff(lines[1][:, 0]) > 0).all()
    assert (np.diff(lines[0][:, 1]) < 0).all(), 'larger values are drawn higher: smaller y'
    assert (np.diff(lines[1][:, 1]) > 0).all()

    data, drawn = np.array(sum(series.values(), [])), np.concatenate(lines)
    for axis in (0, 1):
        slope, offset = np.polyfit(data[:, axis], drawn[:, axis], 1)
        assert np.abs(slope * data[:, axis] + offset - drawn[:, axis]).max() < 0.01
    width, height = (float(v) for v in page.all('svg')[0]['attrs']['viewbox'].split()[2:])
    assert (drawn > 0).all() and (drawn < (width, height)).all()


def test_tick_labels_stand_where_their_values_are_drawn(report):
    report.line_chart({'s': [(0, 10), (400, 50)]}, 'chart', 'step', 'loss')
    page = Page(report.html())
    (start, end) = polyline_points(page)[0]
    labels = {(e['text'], e['attrs'].get('text-anchor')): e['attrs'] for e in page.all('text')}
    assert float(labels['0', 'middle']['x']) == start[0]
    assert float(labels['400', 'middle']['x']) == end[0]
    assert float(labels['10', 'end']['y']) == start[1]
    assert float(labels['50', 'end']['y']) == end[1]
    assert ('step', 'middle') in labels and ('loss', None) in labels


def test_large_and_small_tick_labels_are_short(report):
    report.line_chart({'s': [(0, 0), (40000, 3e6)]}, 'chart', 'x', 'y')
    report.line_chart({'s': [(0, 0), (5000, 4e-7)]}, 'chart', 'x', 'y')
    texts = Page(report.html()).texts('text')
    assert {'40k', '3M', '5000', '4e-7'} <= set(texts)
    assert max(len(text) for text in texts) <= 7


def test_legend_has_the_line_style_of_each_series(report):
    series = {f'series {i}': [(0, i), (1, i)] for i in range(8)}
    report.line_chart(series, 'chart', 'x', 'y')
    page = Page(report.html())
    assert page.texts('li') == list(series)

    def styles(elements):
        return [(e['attrs']['stroke'], e['attrs']['stroke-dasharray']) for e in elements]

    drawn = styles(page.all('polyline'))
    swatches = styles(e for e in page.all('line') if 'stroke' in e['attrs'])
    assert drawn == swatches
    assert len(set(drawn)) == 8


def test_one_point_is_drawn_as_a_marker_inside_the_plot(report):
    report.line_chart({'s': [(3, 5e-7)]}, 'chart', 'x', 'y')
    page = Page(report.html())
    (circle,) = page.all('circle')
    x, y = float(circle['attrs']['cx']), float(circle['attrs']['cy'])
    assert 20 < x < WIDTH and 24 < y < HEIGHT - 40
    assert polyline_points(page)[0].tolist() == [[x, y]]


def test_long_series_have_no_markers(report):
    report.line_chart({'s': [(i, i * i) for i in range(500)]}, 'chart', 'x', 'y')
    page = Page(report.html())
    assert not page.all('circle')
    (line,) = polyline_points(page)
    assert 300 < len(line) <= MAX_POINTS
    assert (np.diff(line[:, 0]) > 0).all()


def test_thinning_keeps_ends_and_peaks():
    values = np.random.default_rng(0).normal(size=10_000)
    peaks = range(500, 10_000, 1000)
    values[peaks] = [30.0, -30.0] * 5
    points = list(enumerate(values))
    kept = thin(points, 50)
    assert 40 <= len(kept) <= 50
    assert set(kept) <= set(points) and sorted(kept) == list(kept)
    assert {points[i] for i in (0, *peaks, 9999)} <= set(kept)
    assert thin(points[:50], 50) == points[:50]


@pytest.mark.parametrize(
    ('low', 'high', 'expected'),
    [
        (1e-3, 1.0, [1e-3, 1e-2, 1e-1, 1]),
        (2e-3, 0.9, [1e-3, 1e-2, 1e-1, 1]),
        (1.0, 1.0, [1, 10]),
        (3.0, 4.0, [1, 10]),
        (1e-20, 1.0, [1e-20, 1e-17, 1e-14, 1e-11, 1e-8, 1e-5, 1e-2, 10]),
    ],
)
def test_logarithmic_ticks_by_hand(low, high, expected):
    assert log_ticks(low, high) == expected


def test_a_logarithmic_axis_is_even_in_factors(report):
    report.line_chart({'s': [(0, 0.01), (1, 1), (2, 100)]}, 'chart', 'x', 'y', log_y=True)
    (line,) = polyline_points(Page(report.html()))
    assert np.diff(line[:, 1], n=2) == pytest.approx([0], abs=0.02)
    assert line[0, 1] > line[2, 1]
    with pytest.raises(ValueError, match='positive'):
        report.line_chart({'s': [(0, 0.0), (1, 1)]}, 'chart', 'x', 'y', log_y=True)


def test_facts_notes_and_what_is_folded(report):
    report.facts([('PyTorch', '2.10 <b>'), ('seed', 0)])
    with report.folded('Warnings & more'):
        report.note('12:00', 'first <b>')
    with report.folded('Errors', is_open=True):
        report.note('12:01', 'second', alarm=True)
    page = Page(report.html())
    assert page.texts('dt') == ['PyTorch', 'seed'] and page.texts('dd') == ['2.10 <b>', '0']
    assert page.texts('summary') == ['Warnings & more', 'Errors']
    assert ['open' in element['attrs'] for element in page.all('details')] == [False, True]
    assert page.texts('p') == ['12:00first <b>', '12:01second']
    assert [element['attrs']['class'] for element in page.all('p')] == ['note', 'note alarm']
    assert page.texts('details')[0].split('\n') == ['Warnings & more', '12:00first <b>', '']


def test_a_small_picture_is_enlarged_by_a_whole_number(report):
    report.picture(random_image(0, 6, 50), 'small <b>')
    report.picture(random_image(1, 6, 300), 'large')
    small, large = Page(report.html()).all('img')
    assert small['attrs']['width'] == '200' and small['attrs']['class'] == 'enlarged'
    assert large['attrs']['width'] == '300' and 'class' not in large['attrs']
    assert small['attrs']['alt'] == 'small <b>'
    with pytest.raises(ValueError, match='uint8 arrays'):
        report.picture(random_image(0)[..., 0], 'grey')


@pytest.mark.parametrize(
    ('series', 'message'),
    [
        ({}, 'at least one series'),
        ({'a': [(0, 0)], 'b': []}, '"b" has no points'),
        ({'a': [(0, float('nan'))]}, '"a" has a value that is not finite'),
        ({'a': [(0, 1), (float('inf'), 1)]}, 'not finite'),
    ],
)
def test_series_that_cannot_be_drawn(report, series, message):
    with pytest.raises(ValueError, match=message):
        report.line_chart(series, 'chart', 'x', 'y')
    assert 'polyline stroke' not in report.html()


@pytest.mark.parametrize(
    ('low', 'high', 'expected'),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0.05, 1.003, [0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2]),
        (0, 1490, [0, 500, 1000, 1500]),
        (-3, 4, [-3, -2, -1, 0, 1, 2, 3, 4]),
        (1, 1, [0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6]),
        (0, 0, [-1, -0.5, 0, 0.5, 1]),
    ],
)
def test_ticks_by_hand(low, high, expected):
    assert axis_ticks(low, high) == expected


def test_ticks_of_any_range_are_few_even_round_and_enclosing():
    rng = np.random.default_rng(0)
    for _ in range(500):
        low = rng.normal() * 10.0 ** rng.integers(-8, 8)
        high = low + abs(low) * 10.0 ** rng.uniform(-4, 4)
        ticks = np.array(axis_ticks(low, high))
        steps = np.diff(ticks)
        assert 2 <= len(ticks) <= 8
        assert np.allclose(steps, steps[0], rtol=1e-3)
        slack = 1e-9 * abs(ticks).max()
        assert ticks[0] <= low + slack and ticks[-1] >= high - slack
        mantissa = float(f'{steps.mean():.2e}'.split('e')[0])
        assert mantissa in (1, 2, 5)


def test_images_come_back_as_they_went_in(report):
    rows = [[random_image(0), random_image(1)], [random_image(2), random_image(3)]]
    report.image_grid(rows, ['original', 'masked'], 'Pictures', scale=3)
    page = Page(report.html())
    given = [image for row in rows for image in row]
    shown = page.all('img')
    assert len(shown) == 4
    for image, element in zip(given, shown, strict=True):
        data = base64.b64decode(element['attrs']['src'].removeprefix('data:image/png;base64,'))
        with Image.open(io.BytesIO(data)) as decoded:
            assert decoded.mode == 'RGB'
            assert np.array_equal(np.asarray(decoded), image)
    alts = [element['attrs']['alt'] for element in shown]
    assert alts == ['row 1: original', 'row 1: masked', 'row 2: original', 'row 2: masked']
    style = [e['attrs'].get('style') for e in page.all('div') if 'style' in e['attrs']]
    assert style == ['grid-template-columns: repeat(2, minmax(5px, 15px))']
    assert 'image-rendering: pixelated' in page.texts('style')[0]
    assert page.texts('figcaption') == ['Pictures']


@pytest.mark.parametrize(
    ('rows', 'labels', 'scale', 'message'),
    [
        ([], ['a'], 1, 'at least one row'),
        ([[]], [], 1, 'at least one row and one column'),
        ([[random_image(0)]], ['a', 'b'], 1, '2 column labels, but row 1 has 1 pictures'),
        ([[random_image(0)]], ['a'], 0, 'scale'),
        ([[random_image(0).astype(np.float32)]], ['a'], 1, 'uint8 arrays .* got float32'),
        ([[random_image(0)[..., 0]]], ['a'], 1, r'got uint8 \(6, 5\)'),
        ([[random_image(0)[..., :2]]], ['a'], 1, r'got uint8 \(6, 5, 2\)'),
    ],
)
def test_picture_grids_that_cannot_be_shown(report, rows, labels, scale, message):
    with pytest.raises(ValueError, match=message):
        report.image_grid(rows, labels, '', scale)
    assert '<img' not in report.html()
