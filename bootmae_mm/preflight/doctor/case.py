"""What all points look at: the config, and its model without memory for its weights."""

import re
import warnings
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from ...engine.build import replace_sync_batch_norm
from ...engine.hooks import hook_list


@dataclass
class Case:
    """A run that is about to be started.

    Attributes:
        cfg: Its config.
        written: The config as its file has it, without what the command line changed.
        gpus: How many GPUs it is to run on.
    """

    cfg: Config
    written: Config
    gpus: int = 1

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


def in_words(error: Exception) -> str:
    """An error in one sentence: our own as they are, others with their type."""
    text = ' '.join(str(error).split())
    text = re.sub(r'^(class `[^`]*` in \S+: )+', '', text)  # put there by mmengine's registries
    if isinstance(error, ValueError | FloatingPointError) and text:
        return text if text.endswith('.') else f'{text}.'
    return f'{type(error).__name__}: {text[:300].rstrip(".")}.'
