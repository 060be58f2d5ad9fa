"""Reconstructions: predictions put back to colours."""

import numpy as np
import pytest
import torch

from bootmae_mm.encoder import tokens
from bootmae_mm.pretrain.reconstruct import reconstruct
from tests.helpers.models import build_tiny, random_samples


@pytest.mark.parametrize('norm', ['channel', 'patch'])
def test_pictures_put_predictions_back_to_colours(norm):
    """A model that predicts the true normalised pixels gives the original picture."""
    preprocessor = dict(type='SelfSupDataPreprocessor', mean=[120, 110, 100], std=[60, 50, 70])
    model = build_tiny(pixel_head=dict(type='PixelHead', norm=norm), data_preprocessor=preprocessor)
    pixels = torch.randint(0, 256, (2, 3, 32, 32)).float()
    images = (pixels - model.data_preprocessor.mean) / model.data_preprocessor.std
    samples = random_samples(2)
    visible, masked = model.patch_ids(samples, images.device)
    truth = model.pixel_head.target(images, torch.cat([visible, masked], 1), 8)
    model.regressor.forward = lambda *args, predict_visible: truth if predict_visible else None
    shown = reconstruct(model, images, visible, masked)
    expected = pixels.permute(0, 2, 3, 1).numpy()
    for pictures in (shown.original, shown.reconstruction, shown.paste):
        assert np.abs(pictures.astype(float) - expected).max() <= 1

    patches = tokens.patchify(torch.from_numpy(shown.masked).permute(0, 3, 1, 2).float(), 8)
    for b in range(2):
        assert (patches[b, masked[b]] == 127).all()
        assert patches[b, visible[b]].std() > 10


def test_pictures_need_a_regressor():
    model = build_tiny(regressor=None, pixel_head=None)
    with pytest.raises(ValueError, match='no regressor'):
        reconstruct(model, None, None, None)
