"""What an encoder's features are like: against the teacher's, in three colours, and attended to.

Shape suffixes: see :mod:`bootmae_mm.encoder.tokens`; H heads, d channels of a head.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..encoder import BootMAEViT
from ..pretrain.bootmae import BootMAE
from ..pretrain.heads import FeatureHead

OUTLIERS = 0.01  # share of the patches at either end whose colour is cut off


class Agreement(NamedTuple):
    """How well the predictor guesses the teacher's features.

    ``cosine_BN``: cosine of predicted and teacher features, both normalised as in the loss, at
    every patch; NaN where nothing is predicted. ``mean``: over all predicted patches. ``constant``:
    the mean that one and the same vector for all patches would reach, their teacher features'
    average; a high mean says something only where it is well above.
    """

    cosine_BN: Tensor
    mean: float
    constant: float


@torch.no_grad()
def agreement(
    model: BootMAE, images_BCHW: Tensor, ids_visible_BV: Tensor, ids_masked_BM: Tensor
) -> Agreement:
    """Compare predicted features with the teacher's at the masked patches that have a target.

    With features normalised as in the loss (eq. 5, LayerNorm without affine), the squared error
    that training minimises is 2 (1 - cosine).

    Args:
        model: A BootMAE with a predictor, in eval mode.
        images_BCHW: Normalised images, as the data preprocessor returns them.
        ids_visible_BV: Indices of the visible patches.
        ids_masked_BM: Indices of the masked patches.
    """
    num_patches = ids_visible_BV.shape[1] + ids_masked_BM.shape[1]
    ids_BK = model.target_ids(ids_masked_BM)
    encoded = model.encode(images_BCHW, ids_visible_BV)
    pred_BKD = model.decode(model.predictor, encoded, ids_masked_BM, num_predicted=ids_BK.shape[1])
    pred_BKD = model.feature_head.target(pred_BKD)
    target_BKD = model.feature_head.target(model.teacher(images_BCHW, ids_BK))
    cosine_BK = F.cosine_similarity(pred_BKD, target_BKD, dim=-1)
    constant_BK = F.cosine_similarity(target_BKD.mean((0, 1)), target_BKD, dim=-1)
    cosine_BN = cosine_BK.new_full((len(ids_BK), num_patches), torch.nan)
    cosine_BN.scatter_(1, ids_BK, cosine_BK)
    return Agreement(cosine_BN, cosine_BK.mean().item(), constant_BK.mean().item())


@torch.no_grad()
def patch_features(encoder: BootMAEViT, images_BCHW: Tensor) -> Tensor:
    """The last block's output at every patch of the whole image, normalised as the feature target
    is (LayerNorm without affine), float32 ``(B, N, D)``."""
    x_BTD, _ = encoder.encode(images_BCHW)
    return FeatureHead().target(x_BTD[:, 1:])


def pca_colours(features_BND: Tensor) -> Tensor:
    """The first three principal components of all patches of all images together, as R, G and B.

    A component's sign, which PCA leaves open, is chosen so that the largest of its D coefficients
    is positive. From the 1st to the 99th percentile of its values a component's colour goes from 0
    to 255; a component without variance is grey.

    Args:
        features_BND: Features of at least 3 channels.

    Returns:
        uint8 ``(B, N, 3)`` on the host.
    """
    rows = features_BND.double().cpu().flatten(0, 1)
    rows = rows - rows.mean(dim=0)
    _, directions = torch.linalg.eigh(rows.T @ rows)
    directions = directions[:, -3:].flip(1)  # the largest variance first
    largest = directions.gather(0, directions.abs().argmax(dim=0, keepdim=True))
    scores = rows @ (directions * largest.sign())
    ends = torch.tensor([OUTLIERS, 1 - OUTLIERS], dtype=torch.double)
    low, high = scores.quantile(ends, dim=0)
    span = high - low
    share = ((scores - low) / span).clamp(0, 1)
    # A span of the size of rounding errors would be noise in full colour.
    share = torch.where(span > 1e-6 * rows.abs().max(), share, 0.5)
    colours = (255 * share).round().to(torch.uint8)
    return colours.view(*features_BND.shape[:2], 3)


@torch.no_grad()
def class_attention(encoder: BootMAEViT, images_BCHW: Tensor) -> Tensor:
    """Where the class token looks in the last block: softmax(q k / sqrt(d)) of its row, for every
    head, ``(B, H, N)``.

    The weight that it gives to itself is left out, so that a head's weights sum to less than 1.

    Args:
        encoder: The encoder, in evaluation mode.
        images_BCHW: Normalised images of the encoder's own size.
    """
    last = encoder.layers[-1]
    attention = last.attn
    x_BTD, _ = encoder.encode(images_BCHW, num_blocks=encoder.num_layers - 1)
    parts = attention.qkv(last.ln1(x_BTD)).unflatten(-1, (3, attention.num_heads, -1))
    q_BHd, k_BTHd = parts[:, 0, 0], parts[:, :, 1]
    scores_BHT = torch.einsum('bhd,bthd->bht', q_BHd, k_BTHd) / math.sqrt(attention.head_dims)
    bias_1HTT = attention.position_bias(tuple(encoder.patch_resolution))
    if bias_1HTT is not None:
        scores_BHT = scores_BHT + bias_1HTT[:, :, 0]
    return scores_BHT.softmax(dim=-1)[:, :, 1:]
