"""Optimiser wrapper for mixed precision on any device, and parameter groups for weight decay."""

from contextlib import contextmanager

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS
from torch import Tensor, nn

DTYPES = {name: getattr(torch, name) for name in ('float32', 'bfloat16', 'float16')}


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """mmengine's wrapper with autocast, on GPUs and on CPUs.

    mmengine's ``AmpOptimWrapper`` refuses CPUs and scales the loss for bfloat16 as well, which
    needs no scaling and would make the host wait for the device at every step.

    Args:
        dtype: 'bfloat16' (default), 'float16' (with dynamic loss scaling) or 'float32'.
        **kwargs: Those of mmengine's ``OptimWrapper``.

    Raises:
        ValueError: If ``dtype`` is none of the three.
    """

    def __init__(self, dtype: str = 'bfloat16', **kwargs) -> None:
        super().__init__(**kwargs)
        if dtype not in DTYPES:
            raise ValueError(f'dtype must be one of {", ".join(DTYPES)}, found {dtype!r}.')
        self.dtype = DTYPES[dtype]
        self.device_type = get_device()
        self.scaler = torch.amp.GradScaler(self.device_type, enabled=dtype == 'float16')

    def backward(self, loss: Tensor, **kwargs) -> None:
        """Accumulate the gradients of ``loss``, scaled for float16."""
        super().backward(self.scaler.scale(loss), **kwargs)

    def step(self, **kwargs) -> None:
        """Unscale, clip if asked to, and step; float16 skips a step that overflowed."""
        self.scaler.unscale_(self.optimizer)
        if self.clip_grad_kwargs:
            self._clip_grad()
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update()

    @contextmanager
    def optim_context(self, model: nn.Module):
        """Forward pass in mixed precision."""
        with (
            super().optim_context(model),
            torch.autocast(self.device_type, self.dtype, enabled=self.dtype != torch.float32),
        ):
            yield

    def state_dict(self) -> dict:
        """The optimiser's state and the scaler's."""
        return {**super().state_dict(), 'scaler': self.scaler.state_dict()}

    def load_state_dict(self, state_dict: dict) -> None:
        """Restore both; a checkpoint of another precision has no use for the scaler's."""
        state_dict = dict(state_dict)
        scaler = state_dict.pop('scaler', None)
        if scaler:
            self.scaler.load_state_dict(scaler)
        super().load_state_dict(state_dict)


EMBEDDINGS = ('cls_token', 'pos_embed', 'relative_position_bias_table')


def decays(name: str, param: Tensor, embeddings: bool = False) -> bool:
    """Whether weight decay applies: to mask tokens and all else of more than one dimension, less
    class tokens, position embeddings and relative-position tables unless ``embeddings``.

    The authors' release spares 1-D parameters, class token and position embedding in pretraining
    and classification, which have no relative positions; see :class:`.LayerDecayConstructor` for
    its segmentation.
    """
    leaf = name.rpartition('.')[2]
    return param.ndim > 1 and leaf != 'bias' and (embeddings or leaf not in EMBEDDINGS)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class WeightDecayConstructor:
    """Builds the optimiser wrapper with two parameter groups: with weight decay and without.

    Args:
        optim_wrapper_cfg: Config of the wrapper, with the ``optimizer`` in it.
        paramwise_cfg: None; there is nothing to set.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        if paramwise_cfg:
            raise ValueError(
                f'WeightDecayConstructor takes no paramwise_cfg, found {paramwise_cfg}; remove it.'
            )
        self.wrapper_cfg = dict(optim_wrapper_cfg)
        self.wrapper_cfg.setdefault('type', 'OptimWrapper')
        self.optimizer_cfg = dict(self.wrapper_cfg.pop('optimizer'))

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """The wrapper of an optimiser over the trainable parameters of ``model``."""
        groups = self._groups(model)
        optimizer = OPTIMIZERS.build(self.optimizer_cfg, default_args=dict(params=groups))
        return OPTIM_WRAPPERS.build(self.wrapper_cfg, default_args=dict(optimizer=optimizer))

    def _groups(self, model: nn.Module) -> list[dict]:
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        with_decay = [p for name, p in trained if decays(name, p)]
        without = [p for name, p in trained if not decays(name, p)]
        return [dict(params=with_decay), dict(params=without, weight_decay=0.0)]
