"""What the regressor makes of an image, as pictures.

Shape suffixes: see :mod:`bootmae_mm.encoder.tokens`.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..encoder import tokens
from .bootmae import BootMAE
from .heads import patch_statistics

GREY = 127  # what a masked patch is painted with


class Reconstruction(NamedTuple):
    """Pictures of a batch, each uint8 RGB ``(B, H, W, 3)``.

    ``reconstruction`` is un-normalised with the statistics of each true patch, which the model does
    not predict: it predicts normalised pixels only.
    """

    original: np.ndarray
    masked: np.ndarray
    reconstruction: np.ndarray
    paste: np.ndarray


@torch.no_grad()
def reconstruct(
    model: BootMAE, images_BCHW: Tensor, ids_visible_BV: Tensor, ids_masked_BM: Tensor
) -> Reconstruction:
    """Mask images and let the regressor fill them in.

    Args:
        model: A BootMAE with a regressor, in eval mode.
        images_BCHW: Normalised images, as the data preprocessor returns them.
        ids_visible_BV: Indices of the visible patches.
        ids_masked_BM: Indices of the masked patches.

    Raises:
        ValueError: If the model has no regressor.
    """
    if model.regressor is None:
        raise ValueError('Pictures need a model that predicts pixels, found none: no regressor.')
    encoded = model.encode(images_BCHW, ids_visible_BV)
    pred = model.decode(model.regressor, encoded, ids_masked_BM, predict_visible=True)
    restore_BN = torch.cat([ids_visible_BV, ids_masked_BM], dim=1).argsort(1)

    patches_BNCP = tokens.patchify(images_BCHW, model.patch_size)
    mean, std = patch_statistics(patches_BNCP, model.pixel_head.norm)
    pred_BNCP = tokens.gather(pred, restore_BN).view_as(patches_BNCP) * std + mean
    mask_BN = tokens.mask_from_ids(ids_masked_BM, patches_BNCP.shape[1])[:, :, None, None]
    grey_C1 = ((GREY - model.data_preprocessor.mean) / model.data_preprocessor.std).view(-1, 1)
    return Reconstruction(
        *(
            to_pictures(model, tokens.unpatchify(patches, model.grid))
            for patches in (
                patches_BNCP,
                torch.where(mask_BN, grey_C1, patches_BNCP),
                pred_BNCP,
                torch.where(mask_BN, pred_BNCP, patches_BNCP),
            )
        )
    )


def to_pictures(model: BootMAE, images_BCHW: Tensor) -> np.ndarray:
    """Undo the data preprocessor's normalisation: uint8 RGB ``(B, H, W, 3)``."""
    preprocessor = model.data_preprocessor
    pixels = images_BCHW * preprocessor.std + preprocessor.mean
    return pixels.round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
