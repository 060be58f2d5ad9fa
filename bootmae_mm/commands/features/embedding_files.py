"""Files of features, written part by part, so that no more than a part is in memory.

A part is an ``.npz`` with ``files``, the names, and an array for each kind of features. The three
forms have a row for every picture, in the order of the parts, and notes:

- ``.parquet``: a column ``file``, and for each kind one of lists of a fixed length (``patches``: of
  lists); a row group for each part; the notes as JSON text under ``bootmae_mm`` in the metadata.
- ``.npz``: arrays ``file`` (text), for each kind ``(rows, …)`` float32, and ``notes`` (JSON text).
- ``.csv``: columns ``file``, ``mean_0``, ``mean_1``, … (``patches_0_0``, …: patch and channel), of
  the nine digits that float32 has; the notes in a file beside it, ``<name>.csv.json``.
"""

import csv
import json
import math
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ...convert.files import written_whole

KINDS = ('class', 'mean', 'patches')
NOTES = b'bootmae_mm'  # in the metadata of Parquet
Shapes = Mapping[str, tuple[int, ...]]


def require_form(path: Path) -> None:
    """Raise ``ValueError`` unless a file of this ending can be written and read here."""
    if path.suffix not in WRITERS:
        raise ValueError(
            f'Expected a file of features to end in {", ".join(WRITERS)}, found {path.name!r}; '
            'choose one of these endings.'
        )
    if path.suffix == '.parquet':
        arrow()


def arrow():
    """The module ``pyarrow``, with its ``parquet``.

    Raises:
        ValueError: If it is not installed.
    """
    try:
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise ValueError(
            'Expected the package pyarrow for a .parquet file, found none; pip install '
            "'bootmae-mm[embed]', or take .npz or .csv."
        ) from error
    return pyarrow


def write_part(
    path: Path, files: Sequence[str], features: Mapping[str, np.ndarray], **more: Sequence[str]
) -> None:
    """Write a part, with ``more`` arrays of text that are not joined."""
    texts = {name: np.asarray(values, dtype=str) for name, values in more.items()}
    with open(path, 'wb') as file:
        np.savez(file, files=np.asarray(files, dtype=str), **features, **texts)


def opened(parts: Iterable[Path]) -> Iterator[Mapping[str, np.ndarray]]:
    """The parts one after the other, of which only the arrays asked for are read."""
    for path in parts:
        with np.load(path) as part:
            yield part


def join(parts: Sequence[Path], out: Path, shapes: Shapes, notes: dict, force: bool) -> int:
    """Write the file of features that parts make up, one of them in memory at a time.

    Args:
        parts: At least one.
        out: What to write, with one of the endings.
        shapes: Of a picture's features, for each kind.
        notes: Where the features are from, for JSON.
        force: Take the place of a file of that name.

    Returns:
        The number of rows.

    Raises:
        ValueError: If there is such a file and ``force`` is not set.
    """
    text = json.dumps(notes)
    with written_whole(out, force) as unfinished:
        WRITERS[out.suffix](parts, unfinished, shapes, text)
    if out.suffix == '.csv':
        notes_file(out).write_text(text, encoding='utf-8')
    return rows_in(parts)


def rows_in(parts: Sequence[Path]) -> int:
    """Pictures in the parts."""
    return sum(len(part['files']) for part in opened(parts))


def _write_parquet(parts: Sequence[Path], path: Path, shapes: Shapes, notes: str) -> None:
    pa = arrow()
    schema = pa.schema([('file', pa.string()), *((k, _list_type(s)) for k, s in shapes.items())])
    schema = schema.with_metadata({NOTES: notes})
    with pa.parquet.ParquetWriter(path, schema, use_dictionary=False) as writer:
        for part in opened(parts):
            writer.write_table(_table(part, shapes, schema), max(1, len(part['files'])))


def _table(part: Mapping[str, np.ndarray], shapes: Shapes, schema):
    """A part as Arrow's table."""
    pa = arrow()
    columns = [pa.array(part['files'].tolist(), pa.string())]
    columns += [_lists(part[kind], shape) for kind, shape in shapes.items()]
    return pa.table(columns, schema)


def _list_type(shape: tuple[int, ...]):
    """Arrow's type of an array of float32."""
    pa = arrow()
    kind = pa.float32()
    for length in reversed(shape):
        kind = pa.list_(kind, length)
    return kind


def _lists(values: np.ndarray, shape: tuple[int, ...]):
    """An array as a column of lists, for all axes but the first."""
    pa = arrow()
    column = pa.array(values.reshape(-1))
    for length in reversed(shape):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column


def _write_npz(parts: Sequence[Path], path: Path, shapes: Shapes, notes: str) -> None:
    text = max((part['files'].dtype for part in opened(parts)), key=lambda dtype: dtype.itemsize)
    rows = rows_in(parts)
    with zipfile.ZipFile(path, 'w') as archive:
        with _member(archive, 'file', text, (rows,)) as file:
            for part in opened(parts):
                file.write(part['files'].astype(text).tobytes())
        for kind, shape in shapes.items():
            with _member(archive, kind, np.dtype(np.float32), (rows, *shape)) as file:
                for part in opened(parts):
                    file.write(part[kind].tobytes())
        whole = np.asarray(notes)
        with _member(archive, 'notes', whole.dtype, ()) as file:
            file.write(whole.tobytes())


def _member(archive: zipfile.ZipFile, name: str, dtype: np.dtype, shape: tuple[int, ...]):
    """An array of an ``.npz``, of which the header is written and the values are to be."""
    header = dict(descr=np.lib.format.dtype_to_descr(dtype), fortran_order=False, shape=shape)
    file = archive.open(f'{name}.npy', 'w', force_zip64=True)
    np.lib.format.write_array_header_2_0(file, header)
    return file


def _write_csv(parts: Sequence[Path], path: Path, shapes: Shapes, notes: str) -> None:
    names = [_columns(kind, shape) for kind, shape in shapes.items()]
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(['file', *(name for group in names for name in group)])
        for part in opened(parts):
            writer.writerows(_rows_of(part, shapes))


def _rows_of(part: Mapping[str, np.ndarray], shapes: Shapes) -> Iterator[list[str]]:
    """A part as the texts of a .csv."""
    rows = len(part['files'])
    flat = [part[kind].reshape(rows, math.prod(shape)) for kind, shape in shapes.items()]
    for name, *vectors in zip(part['files'].tolist(), *flat, strict=True):
        yield [name, *(f'{x:.9g}' for vector in vectors for x in vector.tolist())]


def _columns(kind: str, shape: tuple[int, ...]) -> list[str]:
    """Names of the columns of a kind: a number for each axis."""
    return ['_'.join([kind, *map(str, index)]) for index in np.ndindex(shape)]


def notes_file(path: Path) -> Path:
    """The file with the notes of a ``.csv``."""
    return path.with_name(f'{path.name}.json')


WRITERS = {'.parquet': _write_parquet, '.npz': _write_npz, '.csv': _write_csv}
