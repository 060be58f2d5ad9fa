"""Targets and losses: what a masked patch should be, in pixels and in features.

Shape suffixes: see :mod:`bootmae_mm.encoder.tokens`. All of it is computed in float32, whatever
the precision of the predictions.
"""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor

from ..encoder import tokens


def weighted_mse(pred_BKD: Tensor, target_BKD: Tensor, weight_BK: Tensor) -> Tensor:
    """``sum_k w_k * mean_dims(err**2) / K``, averaged over the batch (eq. 4 and 5; the weights and
    the division by the number of predicted patches are the authors' release's)."""
    error_BK = (pred_BKD.float() - target_BKD.float()).square().mean(-1)
    return (weight_BK * error_BK).mean()


def patch_statistics(patches_BKCP: Tensor, norm: str) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation that normalise a patch, broadcastable to ``(B, K, C, P)``.

    The variance is biased and 1e-5 is added to it (authors' release).
    """
    dims = (-1,) if norm == 'channel' else (-2, -1)
    mean = patches_BKCP.mean(dims, keepdim=True)
    var = patches_BKCP.var(dims, unbiased=False, keepdim=True)
    return mean, (var + 1e-5).sqrt()


@MODELS.register_module()
class PixelHead(BaseModule):
    """Pixel target: masked patches, each normalised by its own statistics.

    Args:
        norm: 'channel' normalises each colour channel of a patch on its own (authors' release,
            default); 'patch' all its values jointly (the paper's text).

    Raises:
        ValueError: If ``norm`` is neither.
    """

    def __init__(self, norm: str = 'channel') -> None:
        super().__init__()
        if norm not in ('channel', 'patch'):
            raise ValueError(
                f"PixelHead normalises per 'channel' or per 'patch', found norm={norm!r}; "
                'use one of the two.'
            )
        self.norm = norm

    def target(self, images_BCHW: Tensor, ids_BK: Tensor, patch_size: int) -> Tensor:
        """Normalised pixels of patches ``ids_BK``, ``(B, K, C * p * p)``, channel-major."""
        patches_BNCP = tokens.patchify(images_BCHW.float(), patch_size)
        patches_BKCP = tokens.gather(patches_BNCP.flatten(2), ids_BK).unflatten(
            2, patches_BNCP.shape[2:]
        )
        mean, std = patch_statistics(patches_BKCP, self.norm)
        return ((patches_BKCP - mean) / std).flatten(2)

    def loss(self, pred_BKP: Tensor, target_BKP: Tensor, weight_BK: Tensor) -> Tensor:
        """Weighted squared error, a scalar (eq. 4)."""
        return weighted_mse(pred_BKP, target_BKP, weight_BK)


@MODELS.register_module()
class FeatureHead(BaseModule):
    """Feature target: the teacher's features, against the predictor's, both through a LayerNorm
    without affine (eps 1e-6, authors' release)."""

    def target(self, features_BKD: Tensor) -> Tensor:
        """Normalised teacher features, ``(B, K, D)`` float32."""
        return self._normalise(features_BKD)

    def loss(self, pred_BKD: Tensor, target_BKD: Tensor, weight_BK: Tensor) -> Tensor:
        """Weighted squared error of the normalised prediction, a scalar (eq. 5)."""
        return weighted_mse(self._normalise(pred_BKD), target_BKD, weight_BK)

    @staticmethod
    def _normalise(x: Tensor) -> Tensor:
        return F.layer_norm(x.float(), x.shape[-1:], eps=1e-6)


@torch.no_grad()
def token_std(x_BKD: Tensor) -> Tensor:
    """Standard deviation over all tokens of a batch, averaged over the dimensions.

    0 when every patch of every image gets the same vector (collapse); about 1 for independent
    vectors that went through a LayerNorm.
    """
    return x_BKD.detach().float().flatten(0, 1).std(0, unbiased=False).mean()
