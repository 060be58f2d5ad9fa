"""What a run's feature target tells: how much of its variance is the place's, how much the image's.

    python benchmarks/target_variance.py work_dirs/RUN [...] --images FOLDER [--count 512]

A target that only says where a patch is, is easy and empty. Of each run the last checkpoint is
taken; the momentum teacher sees whole images, and its normalised features are split into the mean
of each place, the mean of each image, and the rest.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS, MODELS
from torch import Tensor
from torch.utils.data import Subset

from bootmae_mm.checkpoint import read_state_dict
from bootmae_mm.checkpoint.complete import load_completely
from bootmae_mm.engine.run_files import last_checkpoint
from bootmae_mm.engine.tables import as_markdown
from bootmae_mm.monitors.probes.sources import default_pipeline, loader
from bootmae_mm.preflight.data.files import evenly_spaced
from bootmae_mm.pretrain.bootmae import BootMAE


def shares(features_BND: Tensor) -> dict[str, float]:
    """Shares of the variance, from 0 to 1, that the means of places and of images have, and the
    rest; and ``std``, of all.

    Args:
        features_BND: Of B images with N places each, D channels.
    """
    x = features_BND.double() - features_BND.double().mean(dim=(0, 1))
    total = x.square().sum(dim=-1).mean()
    place = x.mean(dim=0).square().sum(dim=-1).mean()
    image = x.mean(dim=1).square().sum(dim=-1).mean()
    parts = dict(place=place, image=image, rest=total - place - image)
    return {
        **{name: (part / total).item() for name, part in parts.items()},
        'std': (total / x.shape[-1]).sqrt().item(),
    }


@torch.no_grad()
def target_of(model: BootMAE, images: Path, count: int) -> Tensor:
    """The feature target of every patch of some images, ``(B, N, D)``."""
    size = tuple(model.backbone.img_size)
    cfg = dict(type='UnlabelledImages', data_root=str(images), pipeline=default_pipeline(size))
    dataset = DATASETS.build(cfg)
    chosen = Subset(dataset, evenly_spaced(range(len(dataset)), count))
    targets = []
    for batch in loader(chosen, 64, 0):
        inputs = model.data_preprocessor(batch, False)['inputs']
        ids_BN = torch.arange(model.grid[0] * model.grid[1]).expand(len(inputs), -1)
        targets.append(model.feature_head.target(model.teacher(inputs, ids_BN)))
    return torch.cat(targets)


def load(run: Path) -> tuple[BootMAE, Path]:
    """A run's model as it was last kept, and where.

    Raises:
        ValueError: If the run has no checkpoint, or no momentum teacher.
    """
    checkpoint = last_checkpoint(run)
    if checkpoint is None:
        raise ValueError(f'Expected a checkpoint in {run}, found none; name a run of pretraining.')
    [config] = run.glob('*.py')
    model = MODELS.build(Config.fromfile(config).model)
    load_completely(model, read_state_dict(str(checkpoint)), str(checkpoint))
    if getattr(model, 'teacher', None) is None:
        raise ValueError(f'Expected a model with a teacher in {run}, found {type(model).__name__}.')
    return model.eval(), checkpoint


def main(argv: Sequence[str] | None = None) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('runs', nargs='+', type=Path)
    parser.add_argument('--images', type=Path, required=True)
    parser.add_argument('--count', type=int, default=512)
    args = parser.parse_args(argv)
    init_default_scope('mmpretrain')
    rows = []
    for run in args.runs:
        try:
            model, checkpoint = load(run)
        except ValueError as error:
            parser.error(str(error))
        found = shares(target_of(model, args.images, args.count))
        rows.append((run.name, checkpoint.stem, *(f'{value:.2f}' for value in found.values())))
    print(as_markdown(('run', 'after', 'place', 'image', 'rest', 'std'), rows))


if __name__ == '__main__':
    main()
