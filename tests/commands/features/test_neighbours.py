"""Which pictures are alike: against double loops over made-up features."""

import base64
import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bootmae_mm.commands.features import duplicates
from bootmae_mm.commands.features.duplicates import near_duplicates
from bootmae_mm.commands.features.embedding_files import join, write_part
from bootmae_mm.commands.features.neighbour_pages import neighbours
from tests.helpers.html import Page
from tests.helpers.labelled_data import load_tool

COUNT, WIDTH = 30, 8
NAMES = [f'{i % 3}/{i:02}.png' for i in range(COUNT)]


def grey(name: str) -> int:
    """Of a picture, by which it is known on a page."""
    return 8 * int(name[2:4])


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """Pictures of one grey each, oblong."""
    folder = tmp_path_factory.mktemp('pictures')
    for name in NAMES:
        (folder / name).parent.mkdir(exist_ok=True)
        Image.new('RGB', (50, 40), (grey(name),) * 3).save(folder / name)
    return folder


def write_features(folder: Path, vectors: np.ndarray, pictures: Path, names=NAMES) -> Path:
    part, out = folder / 'part.npz', folder / 'features.npz'
    write_part(part, names, {'mean': vectors.astype(np.float32)}, left_out=[], reasons=[])
    notes = dict(folder=str(pictures), size=[32, 64])
    join([part], out, {'mean': vectors.shape[1:]}, notes, force=True)
    return out


def some_vectors() -> np.ndarray:
    """Of all lengths, which are not to matter."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((COUNT, WIDTH)) * 10 ** rng.uniform(-3, 3, (COUNT, 1))


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


def nearest(vectors: np.ndarray, own: int, count: int) -> list[tuple[str, float]]:
    """The nearest others by a plain loop."""
    found = [(cosine(vectors[own], v), i) for i, v in enumerate(vectors) if i != own]
    return [(NAMES[i], similarity) for similarity, i in sorted(found, reverse=True)[:count]]


@pytest.fixture
def features(tmp_path, folder) -> Path:
    return write_features(tmp_path, some_vectors(), folder)


# --------------------------------------------------------------------------------- neighbours


def shown_greys(page: Page) -> list[int]:
    """The greys of the pictures on a page, which are all inside it."""
    greys = []
    for image in page.all('img'):
        address, _, content = image['attrs']['src'].partition(',')
        assert address == 'data:image/png;base64'
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
        assert pixels.shape == (40, 80, 3)  # as oblong as the encoder's input
        greys.append(int(np.unique(pixels).item()))
    return greys


def test_the_page_has_the_nearest_in_order(features, folder, tmp_path):
    asked, told = [NAMES[7], NAMES[0]], []
    out = tmp_path / 'deep/page.html'
    done = neighbours(features, picture=asked, count=5, out=out, say=told.append)
    expected = [(name, nearest(some_vectors(), NAMES.index(name), 5)) for name in asked]
    assert done.file == out and list(done.neighbours) == asked
    page = Page(out.read_text())
    labels = [text for text in page.texts('div') if text.endswith('.png') and '\n' not in text]
    wanted, greys = [], []
    for name, alike in expected:
        wanted += [name, *(f'{similarity:.3f} {other}' for other, similarity in alike)]
        greys += [grey(name), *(grey(other) for other, _ in alike)]
        for found, (other, similarity) in zip(done.neighbours[name], alike, strict=True):
            assert found.file == other and found.similarity == pytest.approx(similarity, abs=1e-6)
    assert labels == wanted and shown_greys(page) == greys
    assert told == [f'{out}: 2 of 30 pictures, with the nearest']


def test_twelve_pictures_at_equal_distances(features, tmp_path):
    done = neighbours(features, out=tmp_path / 'page.html')
    assert list(done.neighbours) == [NAMES[i * 30 // 12] for i in range(12)]
    assert all(len(alike) == 8 for alike in done.neighbours.values())


def test_a_picture_is_no_neighbour_of_its_own(tmp_path, folder):
    """Though others have the same features; and there are no more than there are."""
    features = write_features(tmp_path, np.ones((4, WIDTH)), folder, NAMES[:4])
    done = neighbours(features, out=tmp_path / 'page.html')
    for name, alike in done.neighbours.items():
        assert sorted([name, *(near.file for near in alike)]) == sorted(NAMES[:4])
        assert all(near.similarity == pytest.approx(1, abs=1e-6) for near in alike)


def test_a_picture_is_named_by_its_path_as_well(features, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder / '1')
    asked = [folder / NAMES[3], '01.png']
    done = neighbours(features, picture=asked, out=tmp_path / 'page.html')
    assert list(done.neighbours) == [NAMES[3], '1/01.png']
    with pytest.raises(ValueError, match="the 30 pictures of .* that have features, found 'a.png'"):
        neighbours(features, picture=['a.png'], out=tmp_path / 'other.html')
    assert not (tmp_path / 'other.html').exists()


def test_pictures_that_were_moved(features, folder, tmp_path):
    lost = write_features(tmp_path, some_vectors(), tmp_path / 'nowhere')
    with pytest.raises(ValueError, match='folder of the pictures, found none at .*nowhere'):
        neighbours(lost, out=tmp_path / 'page.html')
    done = neighbours(lost, pictures=folder, out=tmp_path / 'page.html')
    assert len(done.neighbours) == 12
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='Expected an image in .*empty/0/00.png'):
        neighbours(lost, pictures=tmp_path / 'empty', out=tmp_path / 'page.html')


@pytest.mark.parametrize('count, rows, message', [(0, 9, '9 and 0'), (3, 1, '1 and 3')])
def test_too_few(tmp_path, folder, count, rows, message):
    features = write_features(tmp_path, np.ones((rows, WIDTH)), folder, NAMES[:rows])
    with pytest.raises(ValueError, match=f'two pictures and a --count from 1 up, found {message}'):
        neighbours(features, count=count)


def test_features_that_are_no_numbers(tmp_path, folder):
    vectors = some_vectors()
    vectors[5, 2] = np.nan
    features = write_features(tmp_path, vectors, folder)
    with pytest.raises(ValueError, match=f"finite numbers, found others of '{NAMES[5]}'"):
        neighbours(features, out=tmp_path / 'page.html')


# --------------------------------------------------------------------------------- duplicates


def alike_vectors() -> np.ndarray:
    """Three groups of near-duplicates, of 2, 3 and 4 pictures, among others."""
    vectors, rng = some_vectors(), np.random.default_rng(1)
    for group in ([1, 20], [3, 4, 29], [5, 10, 15, 25]):
        for place in group[1:]:
            noise = 0.05 * rng.standard_normal(WIDTH) * np.linalg.norm(vectors[group[0]])
            vectors[place] = vectors[group[0]] + noise
    return vectors


def pairs_by_loops(vectors: np.ndarray, least: float) -> dict[tuple[str, str], float]:
    found = {}
    for i in range(len(vectors)):
        for j in range(i + 1, len(vectors)):
            if (similarity := cosine(vectors[i], vectors[j])) >= least:
                found[NAMES[i], NAMES[j]] = similarity
    return found


@pytest.mark.parametrize('least, groups', [(0.9, 3), (0.985, None), (-0.5, None)])
def test_pairs_are_those_of_a_double_loop(tmp_path, folder, monkeypatch, least, groups):
    monkeypatch.setattr(duplicates, 'QUERIES', 7)
    monkeypatch.setattr(duplicates, 'MOST', COUNT)
    features = write_features(tmp_path, alike_vectors(), folder)
    done = near_duplicates(features, similarity=least, out=tmp_path / 'deep/pairs.csv')
    expected = pairs_by_loops(alike_vectors(), least)
    assert {(a, b) for a, b, _ in done.pairs} == {*expected} and len(done.pairs) == len(expected)
    for a, b, similarity in done.pairs:
        assert similarity == pytest.approx(expected[a, b], abs=1e-6)
    similarities = [pair.similarity for pair in done.pairs]
    assert similarities == sorted(similarities, reverse=True)
    assert done.groups == (groups or groups_by_search([(a, b) for a, b, _ in done.pairs]))
    with open(done.file, newline='') as file:
        header, *rows = csv.reader(file)
    assert header == ['file_a', 'file_b', 'similarity']
    assert rows == [[a, b, f'{similarity:.6f}'] for a, b, similarity in done.pairs]


def groups_by_search(pairs: list[tuple]) -> int:
    """Number of connected groups, each found from one of its pictures."""
    left, groups = {name for pair in pairs for name in pair}, 0
    while left:
        front, groups = [left.pop()], groups + 1
        while front:
            own = front.pop()
            near = {x for pair in pairs if own in pair for x in pair} & left
            left -= near
            front += near
    return groups


def test_groups_of_any_shape():
    rng = np.random.default_rng(0)
    for count in range(1, 60):
        pairs = [tuple(rng.choice(40, 2, replace=False).tolist()) for _ in range(count)]
        assert duplicates.count_groups(pairs) == groups_by_search(pairs)


def test_identical_pictures_are_found_at_one(tmp_path, folder):
    """Whatever is lost by rounding."""
    vectors = some_vectors()
    vectors[15:] = vectors[:15] * np.linspace(0.1, 3, 15)[:, None]
    done = near_duplicates(
        write_features(tmp_path, vectors, folder), similarity=1, out=tmp_path / 'pairs.csv'
    )
    copies = zip(NAMES[:15], NAMES[15:], strict=True)
    assert sorted(pair[:2] for pair in done.pairs) == sorted(copies)
    assert all(pair.similarity <= 1 for pair in done.pairs)


def test_more_duplicates_than_are_looked_for_are_told(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(duplicates, 'MOST', 3)
    told, out = [], tmp_path / 'pairs.csv'
    done = near_duplicates(
        write_features(tmp_path, alike_vectors(), folder), similarity=0.9, out=out, say=told.append
    )
    assert len(done.pairs) == 1 + 3 + 6
    assert told == [
        '4 pictures have 3 near-duplicates or more; the nearest 3 count',
        f'{out}: 10 pairs with a similarity of 0.9 or more, in 3 groups of pictures, among 30',
    ]


def test_nothing_alike(tmp_path, folder):
    for rows in (1, 2):
        features = write_features(tmp_path, np.eye(rows, WIDTH), folder, NAMES[:rows])
        done = near_duplicates(features, out=tmp_path / 'pairs.csv')
        assert (done.pairs, done.groups) == ([], 0)
        assert done.file.read_text().splitlines() == ['file_a,file_b,similarity']


@pytest.mark.parametrize('least', [-1, 1.01, float('nan')])
def test_similarities_that_are_none(features, least):
    with pytest.raises(ValueError, match='above -1 and up to 1'):
        near_duplicates(features, similarity=least)


def test_what_cannot_be_written(features, tmp_path):
    (tmp_path / 'file').write_text('')
    for command in (near_duplicates, neighbours):
        with pytest.raises(ValueError, match='Expected to write .*file/out.* another --out'):
            command(features, out=tmp_path / 'file/out')


def test_the_commands(features, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load_tool('neighbours').main([str(features), '--picture', NAMES[1], NAMES[2], '--count', '3'])
    assert 'neighbours.html: 2 of 30 pictures' in capsys.readouterr().out
    load_tool('duplicates').main([str(features), '--similarity', '0.5'])
    told = capsys.readouterr().out.splitlines()[-1]
    pairs = len(pairs_by_loops(some_vectors(), 0.5))
    assert told.startswith(f'duplicates.csv: {pairs} pairs with a similarity of 0.5 or more, in ')
    with pytest.raises(SystemExit) as stop:
        load_tool('duplicates').main([str(features), '--similarity', '2'])
    assert stop.value.code == 2 and 'found 2' in capsys.readouterr().err
