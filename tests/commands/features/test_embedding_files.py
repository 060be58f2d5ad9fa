"""The three forms of a file of features: written in parts, and the same when read, by anyone."""

import csv
import json
import weakref
from pathlib import Path

import numpy as np
import pytest

from bootmae_mm.commands.features import embedding_files
from bootmae_mm.commands.features.embedded_features import read_features
from bootmae_mm.commands.features.embedding_files import join, write_part

SHAPES = {'class': (5,), 'mean': (5,), 'patches': (3, 5)}
NAMES = ['a.png', 'with, comma.png', 'with "quotes".png', 'two\nlines.png', 'ü/猫.png', 'z.png']
COUNTS = [2, 0, 3, 1]  # pictures of the parts
FORMS = ['parquet', 'npz', 'csv']
NOTES = dict(folder='/pictures', block=3, left_out={'b.png': 'no image'})


@pytest.fixture(params=FORMS)
def form(request) -> str:
    if request.param == 'parquet':
        pytest.importorskip('pyarrow')
    return request.param


def some_features(rows: int = 6) -> dict[str, np.ndarray]:
    """Of all sizes that float32 has, so that a digit too few would show."""
    rng = np.random.default_rng(0)
    return {
        kind: (rng.standard_normal((rows, *shape)) * 10.0 ** rng.integers(-30, 30)).astype('f4')
        for kind, shape in SHAPES.items()
    }


def write_parts(folder: Path, features: dict[str, np.ndarray], counts=COUNTS, names=NAMES) -> list:
    """The parts of a file, of which one has no row."""
    paths, start = [], 0
    for number, count in enumerate(counts):
        rows = slice(start, start + count)
        part = {kind: values[rows] for kind, values in features.items()}
        write_part(folder / f'{number}.npz', names[rows], part, left_out=['b.png'], reasons=['no'])
        paths.append(folder / f'{number}.npz')
        start += count
    return paths


@pytest.fixture
def file(form, tmp_path) -> Path:
    out = tmp_path / f'features.{form}'
    parts = write_parts(tmp_path, some_features())
    assert join(parts, out, SHAPES, NOTES, force=False) == 6
    return out


@pytest.mark.parametrize('kind', SHAPES)
def test_what_was_written_is_read(file, kind):
    found = read_features(file, kind)
    assert found.files == NAMES and found.notes == NOTES
    assert found.values.dtype == np.float32
    assert np.array_equal(found.values, some_features()[kind])


def read_by_others(file: Path, kind: str) -> tuple[list[str], np.ndarray, str]:
    """Names, values as a matrix and notes, by what everybody has."""
    if file.suffix == '.parquet':
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(file)
        values = np.array(table[kind].to_pylist(), np.float32)
        return (
            table['file'].to_pylist(),
            values.reshape(6, -1),
            table.schema.metadata[b'bootmae_mm'],
        )
    if file.suffix == '.npz':
        with np.load(file) as arrays:
            names, values = arrays['file'].tolist(), arrays[kind].reshape(6, -1)
            return names, values, str(arrays['notes'])
    with open(file, newline='', encoding='utf-8') as text:
        rows = list(csv.DictReader(text))
    columns = [name for name in rows[0] if name.startswith(kind)]
    values = np.array([[float(row[name]) for name in columns] for row in rows], np.float32)
    return [row['file'] for row in rows], values, Path(f'{file}.json').read_text()


@pytest.mark.parametrize('kind', SHAPES)
def test_others_read_the_same(file, kind):
    names, values, notes = read_by_others(file, kind)
    assert names == NAMES and json.loads(notes) == NOTES
    assert np.array_equal(values, some_features()[kind].reshape(6, -1))


def test_the_columns_of_a_csv(tmp_path):
    join(write_parts(tmp_path, some_features()), tmp_path / 'f.csv', SHAPES, NOTES, force=False)
    header = (tmp_path / 'f.csv').read_text().partition('\n')[0].strip().split(',')
    assert header[:2] == ['file', 'class_0'] and header[6] == 'mean_0'
    assert header[11:] == [f'patches_{n}_{d}' for n in range(3) for d in range(5)]


def test_the_mean_is_read_unless_another_kind_is_asked_for(file):
    assert np.array_equal(read_features(file).values, some_features()['mean'])
    with pytest.raises(ValueError, match="kind 'all' .* found mean, class, patches; choose one"):
        read_features(file, 'all')


def test_the_same_parts_make_the_same_file(form, tmp_path, monkeypatch):
    """Years later, too."""
    parts = write_parts(tmp_path, some_features())
    for name, now in (('one', 1.0e9), ('two', 1.5e9)):
        monkeypatch.setattr('time.time', lambda now=now: now)
        join(parts, tmp_path / f'{name}.{form}', SHAPES, NOTES, force=False)
    one, two = (tmp_path / f'{name}.{form}' for name in ('one', 'two'))
    assert one.read_bytes() == two.read_bytes()


def test_no_more_than_a_part_is_in_memory(form, tmp_path, monkeypatch):
    """When an array of a part is read, no array of another part is alive any more."""
    alive, load = [], np.load

    class Watched:
        """A part as NumPy opens it, that notes which arrays were read of it."""

        def __init__(self, path: Path) -> None:
            self.path, self.arrays = path, load(path)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.arrays.close()

        def __getitem__(self, name: str) -> np.ndarray:
            others = {path for path, array in alive if array() is not None} - {self.path}
            assert not others, (name, others)
            array = self.arrays[name]
            alive.append((self.path, weakref.ref(array)))
            return array

    monkeypatch.setattr(embedding_files.np, 'load', Watched)
    names = [f'{i}.png' for i in range(40)]
    parts = write_parts(tmp_path, some_features(40), [4] * 10, names)
    assert join(parts, tmp_path / f'f.{form}', SHAPES, NOTES, force=False) == 40
    assert len(alive) >= 40


def test_a_part_of_parquet_is_a_row_group(tmp_path):
    parquet = pytest.importorskip('pyarrow.parquet')
    parts = write_parts(tmp_path, some_features(), [2, 3, 1])
    join(parts, tmp_path / 'f.parquet', SHAPES, NOTES, force=False)
    meta = parquet.ParquetFile(tmp_path / 'f.parquet').metadata
    assert [meta.row_group(i).num_rows for i in range(meta.num_row_groups)] == [2, 3, 1]


def test_other_files_are_refused(form, tmp_path):
    file = tmp_path / f'f.{form}'
    with pytest.raises(ValueError, match='found none at .*; python -m bootmae_mm embed writes one'):
        read_features(file)
    for content in (b'', b'a,b\n1,2\n', b'file,mean_0\na.png,x\n', b'PAR1' + bytes(50) + b'PAR1'):
        file.write_bytes(content)
        with pytest.raises(ValueError, match='as embed writes it, found another at .*; write it'):
            read_features(file)
