"""Index algebra on patch tokens: pure functions, no parameters, no randomness.

The mask's polarity is stated here once: **True (1) = masked**, hidden from the encoder.

Shape suffixes used in this package:
    B images          N patches of the grid, row-major     V visible     M masked
    K any subset      T tokens: class token + patches      D channels    P values of one patch
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def mask_from_ids(ids_masked_BM: Tensor, num_patches: int) -> Tensor:
    """The mask of a list of masked patches: bool ``(B, num_patches)``, True = masked."""
    mask_BN = torch.zeros(
        ids_masked_BM.shape[0], num_patches, dtype=torch.bool, device=ids_masked_BM.device
    )
    return mask_BN.scatter_(1, ids_masked_BM, True)


def gather(x_BND: Tensor, ids_BK: Tensor) -> Tensor:
    """Rows ``ids_BK`` of ``x_BND``, as ``(B, K, D)``.

    ``x_BND`` may have fewer images, each of them for as many consecutive rows of ``ids_BK``
    (several masks of an image; one table for all images).
    """
    B, _, D = x_BND.shape
    rows = x_BND.gather(1, ids_BK.reshape(B, -1, 1).expand(-1, -1, D))
    return rows.reshape(*ids_BK.shape, D)


def patchify(images_BCHW: Tensor, patch_size: int) -> Tensor:
    """Cut images into patches: ``(B, C, H, W)`` to ``(B, N, C, p * p)``, patches row-major.

    The channel is kept apart from the pixels since the release normalises each channel of a
    patch on its own; ``flatten(2)`` gives the order (channel, row, column) of a convolution weight.
    """
    B, C, H, W = images_BCHW.shape
    p = patch_size
    x = images_BCHW.reshape(B, C, H // p, p, W // p, p)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(B, (H // p) * (W // p), C, p * p)


def unpatchify(patches_BNCP: Tensor, grid: tuple[int, int]) -> Tensor:
    """The inverse of :func:`patchify` for a grid of ``(rows, columns)`` patches."""
    B, _, C, P = patches_BNCP.shape
    h, w = grid
    p = int(P**0.5)
    x = patches_BNCP.reshape(B, h, w, C, p, p)
    return x.permute(0, 3, 1, 4, 2, 5).reshape(B, C, h * p, w * p)


def centre_weights(mask_BN: Tensor, grid: tuple[int, int]) -> Tensor:
    """Loss weight of every patch: ``m * (1 + avgpool3x3(m))``, float32 ``(B, N)``.

    0 on visible patches, 1 to 2 on masked ones: the centre of a masked block weighs up to 2. Cells
    outside the grid count as visible (paper, appendix C, says "larger loss weight to the center
    region of each block"; the formula is the authors' release's).
    """
    mask_B1hw = mask_BN.float().unflatten(1, grid).unsqueeze(1)
    neighbours = F.avg_pool2d(mask_B1hw, kernel_size=3, stride=1, padding=1)
    return (mask_B1hw * (1 + neighbours)).flatten(1)
