"""The golden format: a NumPy archive of release-named weights, inputs and the release's results,
with the sizes in its ``meta_json``; and how numbers are compared with it."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

OUTPUT_TOLERANCE = 1e-4  # float32, relative to the largest value
GRADIENT_TOLERANCE = 1e-3  # float32, on norms


class Row(NamedTuple):
    """One compared quantity: its name, the largest relative difference, and what is allowed."""

    quantity: str
    difference: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the difference is within the tolerance (not so for NaN)."""
        return self.difference <= self.tolerance


class Golden:
    """A golden file: ``meta``, its arrays by name, and the device that its tensors are given on.

    Raises:
        ValueError: If the file is not a golden archive.
    """

    def __init__(self, path: str | Path, device: str = 'cpu') -> None:
        self.device = torch.device(device)
        try:
            with np.load(path) as archive:
                self.arrays = {name: archive[name] for name in archive.files}
            self.meta = json.loads(str(self.arrays.pop('meta_json')))
        except (OSError, KeyError, ValueError) as error:
            raise ValueError(
                f'Expected a NumPy archive with meta_json, found something else at {str(path)!r} '
                f'({error}).'
            ) from error

    def tensors(self, prefix: str) -> dict[str, Tensor]:
        """Arrays whose names begin with ``prefix/``, as float32 tensors without it."""
        return {
            name.removeprefix(f'{prefix}/'): self.tensor(name)
            for name in self.arrays
            if name.startswith(f'{prefix}/')
        }

    def tensor(self, name: str) -> Tensor:
        """One array, as a float32 tensor."""
        return torch.from_numpy(np.asarray(self.arrays[name])).float().to(self.device)


def encoder_config(meta: dict, **options) -> dict:
    """The encoder of a golden file's sizes."""
    arch = dict(
        embed_dims=meta['embed_dims'],
        num_layers=meta['depth'],
        num_heads=meta['num_heads'],
        feedforward_channels=4 * meta['embed_dims'],
    )
    sizes = dict(img_size=meta['img_size'], patch_size=meta['patch_size'])
    return dict(type='BootMAEViT', arch=arch, **sizes, **options)
