"""Computing the parts of an :class:`.EmbeddingJob`, each of which is written when it is whole.

Shape suffixes: B pictures of a batch, T tokens (class token first), D channels.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmcv.transforms import CenterCrop
from mmengine.device import get_device
from mmpretrain.datasets.transforms import ResizeEdge
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ...data.loading import read_image
from ...data.reading import UnreadableImage
from ...encoder.vit import BootMAEViT
from ...engine.resume.files import replacing
from ...pretrain.preprocessing import PromptDataPreprocessor
from .embedding_files import write_part
from .embedding_job import EmbeddingJob

FROM_TOKENS: dict[str, Callable[[Tensor], Tensor]] = {
    'class': lambda x_BTD: x_BTD[:, 0],
    'mean': lambda x_BTD: x_BTD[:, 1:].mean(dim=1),
    'patches': lambda x_BTD: x_BTD[:, 1:],
}


class Batch(NamedTuple):
    """Pictures that could be read, and of the others the reasons.

    Attributes:
        files: Relative paths.
        pixels: Uint8 RGB ``(B, 3, H, W)``; None if there is none.
        left_out: ``{relative path: reason}``.
    """

    files: list[str]
    pixels: Tensor | None
    left_out: dict[str, str]


class Cut:
    """What an encoder sees of a picture: resized so that its input is just covered, as by the
    validation pipelines, and the middle of it.

    Args:
        size: ``(height, width)`` in pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.height, self.width = size
        self.to_width = ResizeEdge(self.width, edge='width', backend='pillow')
        self.to_height = ResizeEdge(self.height, edge='height', backend='pillow')
        self.middle = CenterCrop((self.width, self.height))

    def __call__(self, pixels_HW3: np.ndarray) -> np.ndarray:
        """Uint8 ``(H, W, 3)`` to ``(height, width, 3)``."""
        height, width = pixels_HW3.shape[:2]
        is_narrow = width * self.height < height * self.width
        resize = self.to_width if is_narrow else self.to_height
        return self.middle(resize(dict(img=pixels_HW3)))['img']


class CutPictures(Dataset):
    """The pictures of a job, cut: each a batch of one, or of none."""

    def __init__(self, job: EmbeddingJob) -> None:
        self.folder, self.files, self.cut = job.folder, job.files, Cut(job.size)

    def __getitem__(self, index: int) -> Batch:
        name = self.files[index]
        if not is_text(name):
            return Batch([], None, {printable(name): 'its name is not UTF-8: rename it'})
        try:
            pixels_HW3 = self.cut(read_image(str(self.folder / name))[0])
        except UnreadableImage as reason:
            return Batch([], None, {name: str(reason)})
        pixels_3HW = torch.from_numpy(np.ascontiguousarray(pixels_HW3.transpose(2, 0, 1)))
        return Batch([name], pixels_3HW[None], {})


def is_text(name: str) -> bool:
    """Whether a file's name can be stored as text, as those of other systems may not."""
    return name == printable(name)


def printable(name: str) -> str:
    """A file's name with a code in place of what is no text."""
    return name.encode('utf-8', 'backslashreplace').decode()


def collate(batches: list[Batch]) -> Batch:
    """Several as one."""
    readable = [batch for batch in batches if batch.files]
    return Batch(
        [name for batch in readable for name in batch.files],
        torch.cat([batch.pixels for batch in readable]) if readable else None,
        {name: reason for batch in batches for name, reason in batch.left_out.items()},
    )


class Embedder:
    """Pictures to features, on the GPU if there is one.

    Args:
        job: Which features.
        model: The encoder's model; how it gives out tokens is changed.
    """

    def __init__(self, job: EmbeddingJob, model: BootMAEViT) -> None:
        self.kinds = job.kinds
        inputs = PromptDataPreprocessor(mean=job.encoder.mean, std=job.encoder.std)
        self.inputs, self.model = inputs.to(get_device()), model.to(get_device())
        self.model.out_indices, self.model.out_type = [job.block - 1], 'raw'

    @torch.no_grad()
    def __call__(self, pixels_B3HW: Tensor) -> dict[str, np.ndarray]:
        """Float32 features for each kind, of uint8 RGB."""
        images_B3HW = self.inputs(dict(inputs=pixels_B3HW, data_samples=None), True)['inputs']
        (tokens_BTD,) = self.model(images_B3HW)
        return {kind: FROM_TOKENS[kind](tokens_BTD).cpu().numpy() for kind in self.kinds}


def compute_parts(
    job: EmbeddingJob, model: BootMAEViT, numbers: Iterable[int], told: Callable[[int], None]
) -> None:
    """Compute some parts of a job and write them.

    Args:
        job: The job.
        model: Its encoder.
        numbers: Of the parts.
        told: Called with a number of pictures that are done, after every batch.

    Raises:
        RuntimeError: If the disk refuses.
    """
    numbers, embedder = list(numbers), Embedder(job, model)
    batches = iter(loader(job, numbers))
    for number in numbers:
        compute_part(job, number, embedder, batches, told)


def compute_part(
    job: EmbeddingJob,
    number: int,
    embedder: Embedder,
    batches: Iterator[Batch],
    told: Callable[[int], None],
) -> None:
    """Compute the part of this number, from the next batches, and write it."""
    done = [embedded(embedder, next(batches), told) for _ in job.batches_of(number)]
    with replacing(job.path_of(number)) as unfinished:
        write_batches(unfinished, job, done)


def loader(job: EmbeddingJob, numbers: Iterable[int]) -> DataLoader:
    """The batches of some parts, one after the other."""
    return DataLoader(
        CutPictures(job), collate_fn=collate, num_workers=job.workers,
        batch_sampler=[batch for number in numbers for batch in job.batches_of(number)],
    )  # fmt: skip


Done = tuple[Batch, Mapping[str, np.ndarray]]


def embedded(embedder: Embedder, batch: Batch, told: Callable[[int], None]) -> Done:
    """A batch, without its pixels, and its features."""
    features = {} if batch.pixels is None else embedder(batch.pixels)
    told(len(batch.files) + len(batch.left_out))
    return batch._replace(pixels=None), features


def write_batches(path: Path, job: EmbeddingJob, done: list[Done]) -> None:
    """Write the part that some batches make up."""
    files, left_out, arrays = [], {}, {kind: [] for kind in job.shapes}
    for batch, features in done:
        files += batch.files
        left_out.update(batch.left_out)
        for kind, values in features.items():
            arrays[kind].append(values)
    whole = {
        kind: np.concatenate([np.empty((0, *shape), np.float32), *arrays[kind]])
        for kind, shape in job.shapes.items()
    }
    write_part(path, files, whole, left_out=list(left_out), reasons=list(left_out.values()))
