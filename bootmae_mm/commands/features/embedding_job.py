"""What is to be embedded, in parts that are kept until all are there, so that it can go on."""

import hashlib
import json
import math
from pathlib import Path
from typing import NamedTuple

from ...engine.resume.files import replacing
from ..tools import Say
from .any_encoder import AnyEncoder
from .embedding_files import opened

PART_BYTES = 2**28  # of features, at most
SETTINGS = 'settings.json'  # among the parts: what they are of


class EmbeddingJob(NamedTuple):
    """Which features of which pictures.

    Attributes:
        folder: Of the pictures.
        files: The pictures, relative to it.
        encoder: The encoder.
        block: The features are those after this block, from 1; after the last one they go through
            the final norm, if there is one.
        kinds: Of 'class' (token), 'mean' (of the patches) and 'patches' (row by row).
        size: ``(height, width)`` of the input in pixels.
        batch: Pictures that the encoder sees at a time.
        most: Pictures of a part, at most.
        workers: Processes that read pictures for each that computes.
        parts: The folder for the parts.
    """

    folder: Path
    files: list[str]
    encoder: AnyEncoder
    block: int
    kinds: tuple[str, ...]
    size: tuple[int, int]
    batch: int
    most: int
    workers: int
    parts: Path

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of a picture's features, for each kind."""
        backbone = self.encoder.backbone
        width, patch = backbone['arch']['embed_dims'], backbone['patch_size']
        patches = math.prod(side // patch for side in self.size)
        return {kind: (patches, width) if kind == 'patches' else (width,) for kind in self.kinds}

    @property
    def part_length(self) -> int:
        """Pictures of a part, readable or not."""
        row = 4 * sum(map(math.prod, self.shapes.values()))
        return max(1, min(self.most, PART_BYTES // row))

    @property
    def numbers(self) -> range:
        """Of all parts."""
        return range(-(-len(self.files) // self.part_length))

    def pictures_of(self, number: int) -> range:
        """The pictures of a part, by their places in ``files``."""
        start = number * self.part_length
        return range(start, min(start + self.part_length, len(self.files)))

    def batches_of(self, number: int) -> list[range]:
        """The same, batch by batch."""
        whole = self.pictures_of(number)
        return [whole[i : i + self.batch] for i in range(0, len(whole), self.batch)]

    def path_of(self, number: int) -> Path:
        """The file of a part."""
        return self.parts / f'part_{number:06}.npz'

    def missing(self) -> list[int]:
        """The parts that are not there yet."""
        return [number for number in self.numbers if not self.path_of(number).is_file()]

    def notes(self) -> dict:
        """Where the features are from, for JSON."""
        return dict(
            folder=str(self.folder),
            checkpoint=str(self.encoder.checkpoint),
            encoder=self.encoder.backbone,
            prefix=self.encoder.prefix,
            mean=self.encoder.mean,
            std=self.encoder.std,
            block=self.block,
            features=self.kinds,
            size=self.size,
        )

    def settings(self) -> dict:
        """What decides what is in the parts, for JSON."""
        status = self.encoder.checkpoint.stat()
        names = '\0'.join(self.files).encode('utf-8', 'surrogateescape')
        return dict(
            self.notes(),
            file=[status.st_size, status.st_mtime_ns],
            pictures=[len(self.files), hashlib.sha256(names).hexdigest()],
            part=self.part_length,
        )

    def left_out(self) -> dict[str, str]:
        """The pictures that could not be read, and why, of all parts."""
        found = {}
        for part in opened(map(self.path_of, self.numbers)):
            names, reasons = part['left_out'].tolist(), part['reasons'].tolist()
            found.update(zip(names, reasons, strict=True))
        return found


def begin(job: EmbeddingJob, say: Say) -> None:
    """Make the folder for the parts ready: those of another job are removed, and it is said.

    Raises:
        ValueError: If it is a folder of something else.
    """
    noted, settings = job.parts / SETTINGS, json.loads(json.dumps(job.settings()))
    if noted.is_file():
        before = json.loads(noted.read_text(encoding='utf-8'))
        changed = [name for name in settings if settings[name] != before.get(name)]
        if not changed:
            return
        say(f'{job.parts} has parts of others ({", ".join(changed)} differ): all begins anew')
        for path in job.parts.glob('part_*.npz'):
            path.unlink()
    elif others := [path.name for path in job.parts.iterdir() if not path.name.startswith('.')]:
        raise ValueError(
            f'Expected to keep parts in {str(job.parts)!r}, found something else there '
            f'({others[0]!r}); move it or choose another --out.'
        )
    with replacing(noted) as unfinished:
        unfinished.write_text(json.dumps(settings, indent=2), encoding='utf-8')
