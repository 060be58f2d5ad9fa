"""Mixed precision for detectors: features in low precision, boxes in float32."""

from contextlib import ExitStack, contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import Tensor, nn

from .optim import AutocastOptimWrapper
from .wrapping import unwrap

FEATURE_PARTS = ('backbone', 'neck')


@OPTIM_WRAPPERS.register_module()
class FeatureAutocastOptimWrapper(AutocastOptimWrapper):
    """Autocast in a detector's backbone and neck; the heads compute in float32.

    mmdet makes anchors, proposals and regions in the type of the scores, and bfloat16 has 8 bits:
    coordinates around 1000 pixels would be multiples of 4 or 8, and mmcv's RoIAlign has no
    bfloat16 at all. On GPUs the heads' convolutions still use TF32, PyTorch's default.

    Args:
        **kwargs: Those of :class:`bootmae_mm.engine.optim.AutocastOptimWrapper`.
    """

    @contextmanager
    def optim_context(self, model: nn.Module):
        """Forward pass with mixed precision up to the neck's feature maps."""
        detector = unwrap(model)
        parts = [getattr(detector, name) for name in FEATURE_PARTS if hasattr(detector, name)]
        with OptimWrapper.optim_context(self, model), ExitStack() as stack:
            for part in parts:
                stack.enter_context(self._autocast_forward(part))
            yield

    @contextmanager
    def _autocast_forward(self, part: nn.Module):
        """While this is open, the calls of ``part`` run in mixed precision."""
        enabled = self.dtype != torch.float32
        forward = torch.autocast(self.device_type, self.dtype, enabled=enabled)(part.forward)
        part.forward = lambda *args: _as_float32(forward(*args))
        try:
            yield
        finally:
            del part.forward


def _as_float32(maps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(x.float() for x in maps)
