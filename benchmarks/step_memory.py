"""Memory of a pretraining step with DistributedDataParallel, of models too large for this machine.

    python benchmarks/step_memory.py [--check] [--out FOLDER]

A step is taken on tensors that have a size but no content (PyTorch's fake tensors), and the bytes
that live at the same time are counted: student, gradients and their buckets in
DistributedDataParallel, AdamW's moments, decoders, teacher, activations, temporaries. Not counted:
what the device's libraries take (1 GiB or so on a GPU) and fragmentation of its allocator.
``--check`` also takes real steps of small models on the device that is there and compares.
"""

import argparse
import os
import weakref
from pathlib import Path

import common
import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.structures import DataSample
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

import bootmae_mm.registration  # noqa: F401
from bootmae_mm.engine.memory import checkpoint_blocks

CONFIG = Path(__file__).parent.parent / 'configs/pretrain/bootmae_vitb_800e.py'
GIB = 2**30
SIZES = {  # name: arch of the encoder, side of a patch
    'ViT-B/16': ('base', 16),
    'ViT-L/16': ('large', 16),
    'ViT-H/14': ('huge', 14),
    'ViT-g/14': ('eva-g', 14),
}
SMALL = {  # for --check
    'ViT-Ti/16': (dict(embed_dims=192, num_layers=12, num_heads=3, feedforward_channels=768), 16),
    'ViT-S/16': ('small', 16),
    'ViT-B/16': ('base', 16),
}
BATCHES = (16, 64, 256)


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all tensors alive, each storage once.

    Attributes:
        now: Bytes alive.
        peak: The most there were.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.storages = WeakIdKeyDictionary()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._meet(tensor.untyped_storage())
        self.peak = max(self.peak, self.now)
        return result

    def _meet(self, storage: torch.UntypedStorage) -> None:
        if storage not in self.storages:
            size = storage.nbytes()
            self.storages[storage] = size
            self.now += size
            weakref.finalize(storage, self._part, size)

    def _part(self, size: int) -> None:
        self.now -= size


def take_steps(
    arch: str | dict, patch: int, batch: int, dtype: str, checkpointed: bool, device: str
) -> dict[str, int]:
    """Two training steps of a new model, the second with AdamW's moments in place.

    Returns:
        Numbers of ``trained`` parameters and of those of the ``teacher``.
    """
    cfg = Config.fromfile(CONFIG)
    cfg.model.backbone.update(arch=arch, patch_size=patch)
    cfg.optim_wrapper.dtype = dtype
    with DefaultScope.overwrite_default_scope('mmpretrain'), torch.device(device):
        model = MODELS.build(cfg.model).train()
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    wrapper.device_type = device
    if checkpointed:
        checkpoint_blocks(model.backbone, model.regressor, model.predictor)
    images = torch.randn(batch, 3, 224, 224, device=device)
    samples = masks(batch, 224 // patch)
    for _ in range(2):
        with wrapper.optim_context(model):
            loss = model.loss(images, samples)['loss']
        wrapper.update_params(loss)
        model.teacher.follow(model.backbone)()
    return dict(trained=count(model, trained=True), teacher=count(model.teacher))


def masks(batch: int, grid: int) -> list[DataSample]:
    """Random masks of three quarters of the patches."""
    rng, visible = np.random.default_rng(0), round(grid**2 / 4)
    orders = [rng.permutation(grid**2) for _ in range(batch)]
    return [DataSample(ids_visible=o[:visible], ids_masked=o[visible:]) for o in orders]


def count(module: nn.Module, trained: bool = False) -> int:
    """Parameters, all of them or those that are trained."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trained)


def plan(
    arch: str | dict, patch: int, batch: int, dtype: str, checkpointed: bool
) -> tuple[int, dict[str, int]]:
    """The most bytes alive in a step on fake tensors, and the numbers of parameters."""
    with FakeTensorMode(allow_non_fake_inputs=True), LiveBytes() as live:
        numbers = take_steps(arch, patch, batch, dtype, checkpointed, 'cpu')
    return live.peak, numbers


def measure(arch: str | dict, patch: int, batch: int, dtype: str, checkpointed: bool) -> int:
    """The most bytes that real steps take beyond what the imports took."""
    before = common.peak_memory()
    take_steps(arch, patch, batch, dtype, checkpointed, get_device())
    return common.peak_memory() - before


def check(batch: int = 8) -> list[dict]:
    """Counted beside measured. C's allocator is told to give memory back at once; else a process
    keeps a fifth more on a CPU."""
    os.environ.update(MALLOC_MMAP_THRESHOLD_='65536', MALLOC_TRIM_THRESHOLD_='65536')
    rows = []
    for name, (arch, patch) in SMALL.items():
        for checkpointed in (False, True):
            run = (arch, patch, batch, 'float32', checkpointed)
            counted, measured = plan(*run)[0], common.in_own_process(measure, *run)
            row = dict(model=name, batch=batch, checkpointed=yes_no(checkpointed))
            rows.append(row | dict(counted=counted / GIB, measured=measured / GIB))
    return rows


def predict() -> list[dict]:
    """GiB per GPU by batch, bfloat16."""
    rows = []
    for name, (arch, patch) in SIZES.items():
        for checkpointed in (False, True):
            plans = [plan(arch, patch, batch, 'bfloat16', checkpointed) for batch in BATCHES]
            trained, teacher = plans[0][1].values()
            buckets = 4 * trained  # copies of the gradients in DistributedDataParallel
            row = dict(model=name, checkpointed=yes_no(checkpointed))
            row['trained + teacher'] = f'{trained / 1e6:.0f} + {teacher / 1e6:.0f} M'
            row['without activations'] = f'{(20 * trained + 4 * teacher) / GIB:.1f}'
            for batch, (peak, _) in zip(BATCHES, plans, strict=True):
                row[f'batch {batch}'] = f'{(peak + buckets) / GIB:.1f}'
            rows.append(row)
    return rows


def yes_no(value: bool) -> str:
    """For a table."""
    return 'yes' if value else 'no'


def main(argv: list[str] | None = None) -> None:
    """Predict and, if asked to, check; write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--check', action='store_true', help='compare with real steps')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/benchmarks'))
    args = parser.parse_args(argv)
    sections = {'GiB per GPU, bfloat16': predict()}
    if args.check:
        sections['GiB counted beside measured, float32'] = check()
    common.write(args.out, 'step_memory', 'Memory of a pretraining step', sections)
    print((args.out / 'step_memory.md').read_text())


if __name__ == '__main__':
    main()
