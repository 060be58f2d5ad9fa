"""What all points look at: a run's config, and what is built from it.

The doctor builds the parts; at the start of training they are those of the run.
"""

import logging
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.registry import DATA_SAMPLERS, DATASETS, MODELS, DefaultScope
from mmengine.runner import Runner
from torch import nn

from ...engine.build import replace_sync_batch_norm
from ...engine.hooks import hook_list
from ...engine.total_batch import accumulation
from ...engine.wrapping import unwrap
from ..data.paths import check_config_paths

SPLITS = ('train', 'val', 'test')


@dataclass
class Case:
    """A run that is about to be started.

    Attributes:
        cfg: Its config.
        written: The config as its file has it, without what the command line changed.
        gpus: How many GPUs it is to run on.
        wrong: Names of the points that have found errors.
        remarks: What the data sets logged when they were built here, by split.
    """

    cfg: Config
    written: Config
    gpus: int = 1
    wrong: set[str] = field(default_factory=set)
    remarks: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of_runner(cls, runner: Runner, splits: Sequence[str], cfg: Config | None = None) -> 'Case':
        """A run whose parts are built already.

        Args:
            runner: It has them.
            splits: Which of its data sets and evaluators are to be used.
            cfg: The config as it was before the runner took it; the runner's by default.
        """
        case = cls(cfg or runner.cfg, cfg or runner.cfg, get_world_size())
        case.built = unwrap(runner.model)
        loops = {split: getattr(runner, f'{split}_loop') for split in splits}
        loops = {split: loop for split, loop in loops.items() if loop is not None}
        case.datasets = {split: loop.dataloader.dataset for split, loop in loops.items()}
        case.evaluators = {s: loop.evaluator for s, loop in loops.items() if s != 'train'}
        if 'train' in loops:
            case.batches = len(loops['train'].dataloader)
        return case

    @cached_property
    def built(self) -> nn.Module | Exception:
        """The model on PyTorch's ``meta`` device, or the error that building it ends with."""
        cfg = deepcopy(self.cfg.model)
        replace_sync_batch_norm(cfg)
        try:
            with self.scope(), torch.device('meta'), warnings.catch_warnings():
                # Loading a frozen teacher's weights does nothing here, as PyTorch says per tensor.
                warnings.filterwarnings('ignore', message='.*copying from a non-meta parameter')
                return MODELS.build(cfg)
        except Exception as error:  # constructors of any toolbox may raise anything
            return error

    @property
    def model(self) -> nn.Module | None:
        """The model on the ``meta`` device; None if it cannot be built."""
        return self.built if isinstance(self.built, nn.Module) else None

    @cached_property
    def datasets(self) -> dict:
        """The data sets by split, or the error that building one ends with; no test set where it
        is the val set."""
        found, known = {}, []
        for split in SPLITS:
            cfg = (self.cfg.get(f'{split}_dataloader') or {}).get('dataset')
            if cfg and cfg not in known:
                with kept_log() as self.remarks[split]:
                    found[split] = self._try(self._build_dataset, split, cfg)
                known.append(cfg)
        return found

    def _build_dataset(self, split: str, cfg: dict):
        check_config_paths(self.cfg, [split])  # it names causes that toolboxes do not
        dataset = DATASETS.build(deepcopy(cfg))
        if hasattr(dataset, 'full_init'):
            dataset.full_init()
        return dataset

    @cached_property
    def evaluators(self) -> dict[str, Evaluator | Exception]:
        """The evaluators by split, or the error that building one ends with; none for a data set
        that is not there, whose annotations it may read."""
        wanted = {split: self.cfg.get(f'{split}_evaluator') for split in SPLITS[1:]}
        if wanted['test'] == wanted['val']:
            del wanted['test']
        with kept_log():
            return {
                split: self._try(Runner.build_evaluator, None, deepcopy(cfg))
                for split, cfg in wanted.items()
                if cfg and not isinstance(self.datasets.get(split), Exception)
            }

    @cached_property
    def batches(self) -> int | Exception | None:
        """Batches of one process in an epoch, or why there are none; None if the train set cannot
        be built, which is told elsewhere."""
        dataset, loader = self.datasets.get('train'), self.cfg.get('train_dataloader')
        if dataset is None or isinstance(dataset, Exception):
            return None
        sampler = self._try(
            DATA_SAMPLERS.build, loader.sampler, default_args=dict(dataset=dataset, seed=0)
        )
        if isinstance(sampler, Exception):
            return sampler
        of_process = -(-len(sampler) // self.gpus)
        whole = (loader.get('batch_sampler') or loader).get('drop_last', False)
        return of_process // loader.batch_size if whole else -(-of_process // loader.batch_size)

    @property
    def accumulated(self) -> int:
        """Batches in an optimiser step.

        Raises:
            ValueError: If the recipe's total batch cannot be kept on so many GPUs.
        """
        hook = self.hook('TotalBatchHook')
        if hook is None:
            return self.cfg.optim_wrapper.get('accumulative_counts', 1)
        batch = self.cfg.train_dataloader.batch_size
        return accumulation(hook['total_batch_size'], batch, self.gpus, self.iteration_based)

    @cached_property
    def steps(self) -> int | None:
        """Optimiser steps of an epoch, or of a run of iterations; None if that is not known."""
        try:
            count = self.accumulated
        except ValueError:  # told elsewhere
            return None
        if self.iteration_based:
            return self.length // count
        return self.batches // count if isinstance(self.batches, int) else None

    @property
    def total_steps(self) -> int | None:
        """Optimiser steps of the run; None if that is not known."""
        if self.steps is None or self.iteration_based:
            return self.steps
        return self.steps * self.length

    def _try(self, build: Callable, *args, **kwargs):
        """What is built, or the error that building ends with."""
        try:
            with self.scope():
                return build(*args, **kwargs)
        except Exception as error:  # constructors of any toolbox may raise anything
            return error

    @property
    def iteration_based(self) -> bool:
        """Whether the run's length is a number of iterations, not of epochs."""
        return 'max_iters' in (self.cfg.get('train_cfg') or {})

    @property
    def length(self) -> int:
        """Epochs or iterations of the run.

        Raises:
            ValueError: If the config has none.
        """
        loop = self.cfg.get('train_cfg') or {}
        length = loop.get('max_iters') or loop.get('max_epochs')
        if not length:
            raise ValueError(
                'Expected max_epochs or max_iters in train_cfg, found neither; add one of them.'
            )
        return length

    def hook(self, kind: str) -> dict | None:
        """The first custom hook of that type; None if there is none."""
        hooks = hook_list(self.cfg.get('custom_hooks'))
        return next((hook for hook in hooks if hook['type'] == kind), None)

    def scope(self):
        """Context in which types are those of the config's toolbox."""
        return DefaultScope.overwrite_default_scope(self.cfg.get('default_scope'))


class Kept(logging.Handler):
    """Keeps the messages of a log from warnings up.

    Attributes:
        messages: A sentence each.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages = []

    def emit(self, record: logging.LogRecord) -> None:
        """Called by the logger."""
        self.messages.append(record.getMessage())


@contextmanager
def kept_log() -> Iterator[list[str]]:
    """Nothing is logged or printed within it (pycocotools does); yields the warnings instead."""
    logger, kept = MMLogger.get_current_instance(), Kept()
    handlers, logger.handlers = logger.handlers, [kept]
    try:
        with redirect_stdout(StringIO()):
            yield kept.messages
    finally:
        logger.handlers = handlers


def in_words(error: Exception) -> str:
    """An error in one sentence: our own as they are, others with their type."""
    text = ' '.join(str(error).split())
    text = re.sub(r'^(class `[^`]*` in \S+: )+', '', text)  # put there by mmengine's registries
    if isinstance(error, ValueError | FloatingPointError) and text:
        return text if text.endswith('.') else f'{text}.'
    return f'{type(error).__name__}: {text[:300].rstrip(".")}.'
