"""What a run is: of which config, from which pretraining, and where it lies."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

FULL, PHOTOS, CARD = 'full', 'photos', 'card'
MODEL = re.compile(r'[a-z0-9]+_vit[bl]_')  # in the name of a config
KINDS = ('pretrain', 'finetune', 'linear', 'seg', 'det')
TEMPLATES = dict(zip(KINDS, ('pretrain', 'finetune', 'linear', 'segment', 'detect'), strict=True))


class Size(NamedTuple):
    """A budget below the full one.

    Args:
        templates: How the paths below ``configs/`` begin of its configs, one of every kind of run.
        epochs: Epochs for one of the paper's.
    """

    templates: str
    epochs: float


SIZES = {PHOTOS: Size('photos/photos_', 1 / 100), CARD: Size('photos/card_', 1 / 40)}


class Paths(NamedTuple):
    """Where things lie.

    Args:
        configs: The folder ``configs/``.
        work: Runs are written below it.
        results: Records of runs are kept below it.
    """

    configs: Path = Path('configs')
    work: Path = Path('work_dirs')
    results: Path = Path('results')


class Run(NamedTuple):
    """One training.

    Args:
        config: The recipe, as a path below ``configs/`` without ``.py``.
        budget: 'full', the config as it is, or one of ``SIZES``, see :mod:`.reduced`.
        seed: Seed of the run, and of the pretraining that it starts from.
        start: What it starts from: a config of ``configs/pretrain``, named as ``config`` is, or the
            path of a checkpoint of another project; None for what the recipe itself names.
    """

    config: str
    budget: str = FULL
    seed: int = 0
    start: str | None = None

    @property
    def kind(self) -> str:
        """One of ``KINDS``."""
        return self.config.partition('/')[0]

    @property
    def name(self) -> str:
        """The work directory of a full run of seed 0: the recipe's name, in which what the run
        starts from, if it is not what the recipe names, stands for the model."""
        recipe = Path(self.config).name
        return f'{Path(self.start).stem}_{MODEL.sub("", recipe)}' if self.start else recipe

    def work_dir(self, paths: Paths) -> Path:
        """Where the run is written."""
        if self.budget != FULL:
            return paths.work / self.budget / f'{self.name}_seed{self.seed}'
        return paths.work / (f'{self.name}_seed{self.seed}' if self.seed else self.name)

    def checkpoint(self, paths: Paths) -> Path:
        """The last checkpoint of a pretraining, there when it is done."""
        return self.work_dir(paths) / f'epoch_{self.epochs(paths)}.pth'

    def epochs(self, paths: Paths) -> int:
        """Epochs of a pretraining."""
        full = load(paths.configs, self.config).train_cfg.max_epochs
        return full if self.budget == FULL else max(1, round(full * SIZES[self.budget].epochs))

    @property
    def template(self) -> str:
        """The config that says what a run below the full budget has of its size."""
        return f'{SIZES[self.budget].templates}{TEMPLATES[self.kind]}'

    def origins(self, paths: Paths) -> list['Run']:
        """The pretraining whose weights the run starts from, or whose features are its target.

        A checkpoint that is no run of ours (the weights of another project) is not among them.
        """
        starts = self.starts(paths)
        return [Run(start, self.budget, self.seed) for start in starts if is_pretraining(start)]

    def starts(self, paths: Paths) -> list[str]:
        """``start``, or what the recipe names in its place; none for training from scratch."""
        if self.start:
            return [self.start]
        found = origin_paths(load(paths.configs, self.config).model)
        known = pretrainings(paths.configs)
        return [known.get(Path(path).parent.name, path) for path in found]

    def checkpoints(self, paths: Paths) -> list[str]:
        """Paths of the checkpoints that it starts from."""
        ours = [str(origin.checkpoint(paths)) for origin in self.origins(paths)]
        return ours + external_weights(self, paths)


def is_pretraining(start: str) -> bool:
    """Whether a run's start is a config, not a checkpoint of another project."""
    return start.startswith('pretrain/')


def origin_paths(model: dict) -> list[str]:
    """Paths of the checkpoints that a model's config names."""
    backbone = model['backbone'].get('init_cfg') or {}
    teacher = model.get('teacher') or {}
    found = (part.get('checkpoint') for part in (backbone, teacher))
    return [path for path in found if path]


@cache
def load(configs: Path, config: str) -> Config:
    """A config by its path below ``configs/``, read once; do not change it."""
    return Config.fromfile(configs / f'{config}.py', import_custom_modules=False)


@cache
def pretrainings(configs: Path) -> dict[str, str]:
    """Names of the pretraining configs, and their paths below ``configs/``."""
    files = (configs / 'pretrain').rglob('*.py')
    return {file.stem: str(file.relative_to(configs).with_suffix('')) for file in files}


def external_weights(run: Run, paths: Paths) -> list[str]:
    """Checkpoints that the run needs and that no config here makes."""
    return [start for start in run.starts(paths) if not is_pretraining(start)]
