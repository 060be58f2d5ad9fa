"""``python -m bootmae_mm embed``: the features that an encoder has of the pictures of a folder."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from ...data.files import some
from ...engine.run_lock import only_run
from ..machine import this_machine
from ..pictures import list_pictures
from ..tools import Say
from .any_encoder import OpenEncoder, Unseen, open_encoder
from .disk import writing
from .embedding_files import KINDS, join, require_form
from .embedding_job import EmbeddingJob, begin
from .embedding_parts import printable
from .embedding_processes import compute

PART = 4096  # pictures
READERS = 16  # processes that read pictures for a GPU, if there are cores for so many
NAMED = 10  # pictures that are left out, in the sentence about them


class Embedded(NamedTuple):
    """What was written.

    Attributes:
        file: The file of features.
        rows: Pictures in it.
        left_out: Pictures that are not in it, relative to the folder, and why.
    """

    file: Path
    rows: int
    left_out: dict[str, str]


def embed(
    pictures: str | Path,
    start: str | Path,
    out: str | Path,
    *,
    block: int | None = None,
    features: Sequence[str] = ('mean',),
    batch: int = 64,
    size: tuple[int, int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    num_heads: int | None = None,
    prefix: str | None = None,
    processes: int | None = None,
    part: int = PART,
    force: bool = False,
    say: Say | None = None,
) -> Embedded:
    """Write the features of all pictures in a folder and below it, one row for each.

    They are computed in parts, kept in ``<out>.parts`` until all are there: the same call goes on
    where one was stopped. Features do not depend on the number of processes.

    Args:
        pictures: The folder.
        start: The folder of a run, or a checkpoint, see :func:`.any_encoder.open_encoder`.
        out: The file to write: .parquet, .npz or .csv, see :mod:`.embedding_files`.
        block: Take the features after this block, from 1; None for the last, whose features go
            through the encoder's final norm, if it has one.
        features: 'class' (the class token), 'mean' (of the patches), 'patches' (each of them).
        batch: Pictures that the encoder sees at a time.
        size: ``(height, width)`` of its input in pixels; None for that which it was trained with.
        mean: Of the input, for R, G and B from 0 to 255; None for the run's, or ImageNet's.
        std: Its deviation.
        num_heads: The encoder's heads; None for the run's, or the usual number.
        prefix: Which of several encoders in the checkpoint is meant.
        processes: In how many to compute; None for one on each GPU.
        part: Pictures of a part, at most.
        force: Take the place of a file of the name ``out``.
        say: Told what is going on, a line at a time.

    Raises:
        ValueError: If there are no pictures, or no encoder; or the settings do not fit them; or
            ``out`` cannot be written.
    """
    say, out = say or (lambda line: None), Path(out).expanduser().absolute()
    require_target(out, force)
    require_counts(batch=batch, processes=processes, part=part)
    kinds, folder = require_kinds(features), Path(pictures).expanduser().absolute()
    listing = list_pictures(folder)
    opened = open_encoder(start, Unseen(num_heads, mean, std), prefix)
    for sentence in (*listing.left_out(), *opened.notes):
        say(sentence)
    job = EmbeddingJob(
        folder=folder,
        files=listing.images,
        encoder=opened.encoder,
        block=require_block(block, opened),
        kinds=kinds,
        size=require_size(size, opened),
        batch=batch,
        most=part,
        workers=this_machine().workers(READERS),
        parts=parts_of(out),
    )
    with only_embedding(job.parts):
        begin(job, say)
        compute(job, opened.model, processes or max(1, torch.cuda.device_count()), say)
        return finish(job, out, force, say)


def finish(job: EmbeddingJob, out: Path, force: bool, say: Say) -> Embedded:
    """Join the parts, and remove them.

    Raises:
        ValueError: If no picture could be read.
    """
    left_out = job.left_out()
    if len(left_out) == len(job.files):
        raise ValueError(
            f'Expected pictures that can be read in {str(job.folder)!r}, found none among '
            f'{len(left_out):,} ({told_left_out(left_out)}); copy or unpack them again.'
        )
    parts = [job.path_of(number) for number in job.numbers]
    rows = join(parts, out, job.shapes, {**job.notes(), 'left_out': left_out}, force)
    shutil.rmtree(job.parts)
    if left_out:
        say(f'{len(left_out):,} pictures are left out: {told_left_out(left_out)}')
    shapes = ' and '.join(f'{kind} ({shown(shape)})' for kind, shape in job.shapes.items())
    say(f'{rows:,} rows in {out}: {shapes}, after block {job.block}')
    return Embedded(out, rows, left_out)


def told_left_out(left_out: dict[str, str]) -> str:
    """The first pictures, and why; the file's notes have all."""
    return some([f'{printable(name)} ({reason})' for name, reason in left_out.items()], NAMED)


def shown(shape: tuple[int, ...]) -> str:
    """The shape of a picture's features."""
    return ' × '.join(map(str, shape))


# ---------------------------------------------------------------------------- what is asked for


def parts_of(out: Path) -> Path:
    """The folder for the parts of a file of features."""
    return out.with_name(f'{out.name}.parts')


@contextmanager
def only_embedding(parts: Path) -> Iterator[None]:
    """Make the folder for the parts, and keep other processes out of it.

    Raises:
        ValueError: If it cannot be made, or another process writes there.
    """
    with ExitStack() as stack:
        with writing(parts):
            try:
                stack.enter_context(only_run(parts))
            except ValueError as error:
                raise ValueError(
                    f'Expected no other process to write to {str(parts)!r}, found one; wait for '
                    'its end, stop it, or choose another --out.'
                ) from error
        yield


def require_target(out: Path, force: bool) -> None:
    """Raise ``ValueError`` if the file has another ending, or is there."""
    require_form(out)
    if out.exists() and not force:
        raise ValueError(
            f'Expected a new name to write to, found that {str(out)!r} exists; choose another '
            '--out or give --force.'
        )


def require_counts(**counts: int | None) -> None:
    """Raise ``ValueError`` if one of them is below 1."""
    for name, count in counts.items():
        if count is not None and count < 1:
            raise ValueError(f'Expected a number from 1 up for --{name}, found {count}.')


def require_kinds(features: Sequence[str]) -> tuple[str, ...]:
    """The kinds of features, each once.

    Raises:
        ValueError: If there is none, or an unknown one.
    """
    kinds = (features,) if isinstance(features, str) else tuple(dict.fromkeys(features))
    if not kinds or not {*kinds} <= {*KINDS}:
        raise ValueError(
            f'Expected features of {", ".join(KINDS)}, found {", ".join(kinds) or "none"}; choose '
            'some of these.'
        )
    return kinds


def require_block(block: int | None, opened: OpenEncoder) -> int:
    """The block, from 1.

    Raises:
        ValueError: If the encoder has no such block.
    """
    last = opened.model.num_layers
    if block is not None and not 1 <= block <= last:
        raise ValueError(f'Expected a block from 1 to {last}, found {block}; choose another.')
    return block or last


def require_size(size: tuple[int, int] | None, opened: OpenEncoder) -> tuple[int, int]:
    """The input's size.

    Raises:
        ValueError: If it is not a whole number of patches.
    """
    patch = opened.encoder.backbone['patch_size']
    height, width = size = tuple(size or opened.encoder.backbone['img_size'])
    if any(side < patch or side % patch for side in size):
        near = 'x'.join(str(max(1, round(side / patch)) * patch) for side in size)
        raise ValueError(
            f'Expected a size of whole patches of {patch} pixels, found {height} × {width}; take '
            f'--size {near}.'
        )
    return size
