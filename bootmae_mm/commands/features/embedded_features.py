"""Reading the files of features that ``embed`` wrote, see :mod:`.embedding_files`."""

import csv
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .embedding_files import NOTES, arrow, notes_file, require_form

BY_DEFAULT = ('mean', 'class', 'patches')  # the first of these that is there is read


class Features(NamedTuple):
    """Features of one kind.

    Attributes:
        files: The pictures, relative to the folder.
        values: Float32, ``(rows, channels)``, of patches ``(rows, patches, channels)``.
        notes: Where they are from: ``folder`` (absolute), ``left_out`` (what could not be read, and
            why), and the settings; empty where they are lost.
    """

    files: list[str]
    values: np.ndarray
    notes: dict


def read_features(path: str | Path, kind: str | None = None) -> Features:
    """Read the features of one kind from a file that ``embed`` wrote.

    Args:
        path: The file.
        kind: 'class', 'mean' or 'patches'; None for the mean where it is there, or else the class
            token, or else the patches.

    Raises:
        ValueError: If there is no such file, it is another one, or has no features of the kind.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ValueError(
            f'Expected a file of features, found none at {str(path)!r}; python -m bootmae_mm embed '
            'writes one.'
        )
    require_form(path)
    try:
        return READERS[path.suffix](path, kind)
    except (OSError, EOFError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise other_file(path, error) from error


def other_file(path: Path, reason: object) -> ValueError:
    """What to say of a file that is no file of features, for a reason."""
    return ValueError(
        f'Expected a file of features as embed writes it, found another at {str(path)!r} '
        f'({" ".join(str(reason).split())}); write it anew.'
    )


def choose(path: Path, names: Iterable[str], kind: str | None) -> str:
    """The kind to be read, of those in a file."""
    names = {*names}
    found = [name for name in BY_DEFAULT if name in names]
    if not found:
        raise other_file(path, 'it has none of class, mean and patches')
    if kind not in (None, *found):
        raise ValueError(
            f'Expected features of the kind {kind!r} in {str(path)!r}, found {", ".join(found)}; '
            'choose one of these, or embed the pictures again with --features.'
        )
    return kind or found[0]


def _read_parquet(path: Path, kind: str | None) -> Features:
    pa = arrow()
    try:
        file = pa.parquet.ParquetFile(path)
    except pa.ArrowException as error:
        raise other_file(path, error) from error
    kind = choose(path, file.schema_arrow.names, kind)
    files, values = [], None
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, ['file', kind])
        rows = np.concatenate([_unlisted(column) for column in table.column(kind).chunks])
        if values is None:
            values = np.empty((file.metadata.num_rows, *rows.shape[1:]), np.float32)
        values[len(files) : len(files) + len(rows)] = rows
        files += table.column('file').to_pylist()
    notes = json.loads((file.schema_arrow.metadata or {}).get(NOTES, b'{}'))
    return Features(files, values, notes)


def _unlisted(column) -> np.ndarray:
    """A column of lists as an array."""
    shape = [len(column)]
    while hasattr(column.type, 'list_size'):
        shape.append(column.type.list_size)
        column = column.flatten()
    return column.to_numpy().reshape(shape)


def _read_npz(path: Path, kind: str | None) -> Features:
    with zipfile.ZipFile(path):  # numpy takes what is no zip for a pickle
        pass
    with np.load(path) as archive:
        kind = choose(path, archive.files, kind)
        return Features(archive['file'].tolist(), archive[kind], json.loads(str(archive['notes'])))


def _read_csv(path: Path, kind: str | None) -> Features:
    with open(path, newline='', encoding='utf-8') as file:
        rows = csv.reader(file)
        header = next(rows, [])
        kind = choose(path, (name.partition('_')[0] for name in header), kind)
        places = [i for i, name in enumerate(header) if name.startswith(f'{kind}_')]
        try:
            files, values = _rows(rows, places[0], places[-1] + 1)
        except (ValueError, csv.Error) as error:
            raise other_file(path, error) from error
    shape = [int(number) + 1 for number in header[places[-1]].split('_')[1:]]
    notes = notes_file(path)
    found = json.loads(notes.read_text(encoding='utf-8')) if notes.is_file() else {}
    return Features(files, values.reshape(len(files), *shape), found)


def _rows(rows: Iterator[list[str]], first: int, end: int) -> tuple[list[str], np.ndarray]:
    """The names, and the numbers of some columns."""
    files, values = [], []
    for row in rows:
        files.append(row[0])
        values.append(np.array(row[first:end], np.float32))
    return files, np.stack(values)


READERS = {'.parquet': _read_parquet, '.npz': _read_npz, '.csv': _read_csv}
