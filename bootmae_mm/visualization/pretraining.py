"""Figures of a pretraining model, and of any encoder.

Shape suffixes: see :mod:`bootmae_mm.encoder.tokens`; H heads.
"""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from ..encoder import BootMAEViT
from ..pretrain.bootmae import BootMAE
from ..pretrain.masking import PatchMasking
from ..pretrain.reconstruct import reconstruct
from .features import agreement, class_attention, patch_features, pca_colours
from .images import normalise
from .masks import draw_ids
from .painting import Figure, faded, heat, patches_to_pixels

UNNORMALISED = (
    'The model predicts normalised pixels. They are shown un-normalised with the mean and standard '
    'deviation of each true patch, which the model was not told and did not predict.'
)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode and uncompiled blocks inside; afterwards every module is in the mode it was in.

    Blocks compiled for training would be compiled anew for eval mode and for a few pictures.
    PyTorch before 2.6 cannot leave that out.
    """
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with _uncompiled():
            yield
    finally:
        for module in training:
            module.training = True


def _uncompiled() -> AbstractContextManager:
    set_stance = getattr(torch.compiler, 'set_stance', None)
    if set_stance is None or 'torch._dynamo' not in sys.modules:  # nothing has been compiled
        return nullcontext()
    return set_stance('force_eager')


def pretraining_figures(
    model: BootMAE, pixels_BHW3: np.ndarray, masking: PatchMasking, seed: int = 0
) -> list[Figure]:
    """Reconstructions, cosine of predicted and teacher features (each if the model predicts such),
    and principal components of the encoder's features.

    Neither the model's mode nor any global random state is changed.

    Args:
        model: The algorithm, in training or evaluation mode.
        pixels_BHW3: Pictures of the model's size, uint8 RGB.
        masking: Draws the masks.
        seed: Seed of the masks.

    Raises:
        ValueError: If pictures or masks are not of the size that the model was built for.
    """
    images_BCHW = normalise(model, pixels_BHW3)
    ids = [x.to(images_BCHW.device) for x in draw_ids(masking, len(pixels_BHW3), seed)]
    model.require_sizes(images_BCHW, sum(x.shape[1] for x in ids))
    figures = []
    with evaluating(model):
        if model.regressor is not None:
            figures.append(reconstruction_figure(model, images_BCHW, *ids))
        if model.predictor is not None:
            figures.append(cosine_figure(model, pixels_BHW3, images_BCHW, *ids))
        figures.append(pca_figure(model.backbone, pixels_BHW3, images_BCHW))
    return figures


def encoder_figures(model: nn.Module, pixels_BHW3: np.ndarray) -> list[Figure]:
    """Principal components and attention of a classifier's encoder.

    Args:
        model: A model with a ``BootMAEViT`` as ``backbone``, in training or evaluation mode.
        pixels_BHW3: Pictures of the encoder's size, uint8 RGB.
    """
    images_BCHW = normalise(model, pixels_BHW3)
    arguments = model.backbone, pixels_BHW3, images_BCHW
    with evaluating(model):
        return [pca_figure(*arguments), attention_figure(*arguments)]


def reconstruction_figure(
    model: BootMAE, images_BCHW: Tensor, ids_visible_BV: Tensor, ids_masked_BM: Tensor
) -> Figure:
    """Original, masked, reconstruction, and the visible patches pasted over the latter."""
    pictures = reconstruct(model, images_BCHW, ids_visible_BV, ids_masked_BM)
    return Figure(
        'reconstruction',
        'Reconstruction',
        ('original', 'masked', 'reconstruction*', 'pasted*'),
        list(zip(*pictures, strict=True)),
        f'* {UNNORMALISED} Pasted: the visible patches as they are, the masked ones as predicted.',
    )


def cosine_figure(
    model: BootMAE,
    pixels_BHW3: np.ndarray,
    images_BCHW: Tensor,
    ids_visible_BV: Tensor,
    ids_masked_BM: Tensor,
) -> Figure:
    """The cosine of predicted and teacher features in colours, at the masked patches."""
    found = agreement(model, images_BCHW, ids_visible_BV, ids_masked_BM)
    cosine_BN = found.cosine_BN.cpu().numpy()
    colours_BN3 = cosine_colours(np.nan_to_num(cosine_BN))
    known_BN3 = ~np.isnan(cosine_BN)[..., None].repeat(3, axis=-1)
    cells, known = (on_patches(model.backbone, x) for x in (colours_BN3, known_BN3))
    maps_BHW3 = np.where(known, cells, faded(pixels_BHW3))
    return Figure(
        'cosine',
        'Predicted and teacher features',
        ('original', 'cosine at masked patches'),
        list(zip(pixels_BHW3, maps_BHW3, strict=True)),
        "Cosine of the predicted and the teacher's features, both normalised as in the loss, "
        'which is 2 (1 - cosine): violet 0 or less, blue 0.7, teal 0.9, green 0.97, yellow 0.99 or '
        f'more; grey where nothing is predicted. Mean {found.mean:.3f}; one vector for all '
        f"patches, the average of the teacher's, would reach {found.constant:.3f}.",
    )


def cosine_colours(cosine: np.ndarray) -> np.ndarray:
    """Colours of cosines, logarithmic in 1 - cosine from 1 (violet) to 0.01 (yellow): early in
    training already most are above 0.9. Uint8, with an axis of R, G, B added."""
    return heat(-np.log10(np.maximum(1 - cosine, 1e-6)), 0, 2)


def pca_figure(encoder: BootMAEViT, pixels_BHW3: np.ndarray, images_BCHW: Tensor) -> Figure:
    """The first three principal components of the patches' features, as red, green and blue."""
    colours_BN3 = pca_colours(patch_features(encoder, images_BCHW)).numpy()
    maps_BHW3 = on_patches(encoder, colours_BN3)
    return Figure(
        'pca',
        'Principal components of the features',
        ('original', 'components'),
        list(zip(pixels_BHW3, maps_BHW3, strict=True)),
        "The first three principal components of the last block's features, computed over all "
        'patches of these pictures together, as red, green and blue. The same colour means similar '
        'features, also across pictures; which colour it is means nothing.',
    )


def attention_figure(encoder: BootMAEViT, pixels_BHW3: np.ndarray, images_BCHW: Tensor) -> Figure:
    """Attention of the class token to the patches in the last block, a column for every head."""
    weights_BHN = class_attention(encoder, images_BCHW).float().cpu().numpy()
    weights_BHN = weights_BHN / weights_BHN.max(axis=-1, keepdims=True)
    maps = [
        on_patches(encoder, heat(weights_BN, 0, 1)) for weights_BN in np.moveaxis(weights_BHN, 1, 0)
    ]
    return Figure(
        'attention',
        'Attention of the class token',
        ('original', *(f'head {number}' for number in range(1, len(maps) + 1))),
        list(zip(pixels_BHW3, *maps, strict=True)),
        'How much the class token of the last block attends to every patch: violet not at all, '
        'yellow the most in this picture and head. Every map has a scale of its own.',
    )


def on_patches(encoder: BootMAEViT, colours_BN3: np.ndarray) -> np.ndarray:
    """Pictures of the encoder's size with one colour for each patch."""
    side = encoder.patch_embed.projection.kernel_size[0]
    return patches_to_pixels(colours_BN3, tuple(encoder.patch_resolution), side)
