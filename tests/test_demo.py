"""What the demo computes and shows; the demo itself is run by ``make demo``."""

import json

import numpy as np
import pytest
import torch

from bootmae_mm import tokens
from bootmae_mm.demo import stages, summary
from bootmae_mm.pretrain.reconstruct import reconstruct

from .conftest import build_tiny, random_samples, write_images

ACCURACIES = {
    stages.Job(task, start, seed): base + seed
    for task, start, base in (
        ('linear', 'scratch', 20.0), ('linear', 'pretrained', 31.0),
        ('finetune', 'scratch', 40.0), ('finetune', 'pretrained', 39.0),
    )
    for seed in range(3)
}  # fmt: skip


def test_the_table_gives_mean_spread_and_gain():
    assert summary.table(ACCURACIES) == [
        ('linear probe', '21.0 ± 1.0 %', '32.0 ± 1.0 %', '+11.0'),
        ('fine-tuning', '41.0 ± 1.0 %', '40.0 ± 1.0 %', '-1.0'),
    ]
    lines = summary.as_text(summary.HEADER, summary.table(ACCURACIES)).splitlines()
    assert lines[1].index('32.0') == lines[0].index('pretrained')


def test_metrics_hold_every_run(tmp_path):
    summary.write_metrics(tmp_path / 'metrics.json', ACCURACIES, {'pretrain': 3.5})
    metrics = json.loads((tmp_path / 'metrics.json').read_text())
    assert len(metrics['runs']) == 12 and metrics['seconds'] == {'pretrain': 3.5}
    assert dict(task='linear', start='pretrained', seed=2, top1=33.0) in metrics['runs']


def test_progress_is_read_from_mmengines_log():
    line = (
        '2026/01/01 - mmengine - INFO - Epoch(train)  [3][16/64]  lr: 1.0e-03  eta: 0:03:22  '
        'time: 0.2  loss: 1.5  L_pixel: 1.2  L_feature: 0.3'
    )
    assert stages.last_progress('noise\n' + line) == (
        'epoch 3 (16 of 64 steps), 0:03:22 left, pixel loss 1.2, feature loss 0.3'
    )
    assert stages.last_progress('noise') == 'starting ...'


def preprocessed(model) -> tuple:
    images = torch.randint(0, 256, (2, 3, 32, 32)).float()
    return images, (images - 127.5) / 127.5


@pytest.mark.parametrize('norm', ['channel', 'patch'])
def test_pictures_put_predictions_back_to_colours(norm):
    """A model that predicts the true normalised pixels gives the original picture."""
    preprocessor = dict(type='SelfSupDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3)
    model = build_tiny(pixel_head=dict(type='PixelHead', norm=norm), data_preprocessor=preprocessor)
    pixels, images = preprocessed(model)
    samples = random_samples(2)
    visible, masked = model.patch_ids(samples, images.device)
    truth = model.pixel_head.target(images, torch.cat([visible, masked], 1), 8)
    model.regressor.forward = lambda *args: truth
    shown = reconstruct(model, images, visible, masked)
    expected = pixels.permute(0, 2, 3, 1).numpy()
    for pictures in (shown.original, shown.reconstruction, shown.paste):
        assert np.abs(pictures.astype(float) - expected).max() <= 1

    patches = tokens.patchify(torch.from_numpy(shown.masked).permute(0, 3, 1, 2).float(), 8)
    for b in range(2):
        assert (patches[b, masked[b]] - 127.5).abs().max() <= 0.5
        assert (patches[b, masked[b]].std() == 0) and patches[b, visible[b]].std() > 10


def test_pictures_need_a_regressor():
    model = build_tiny(regressor=None, pixel_head=None)
    with pytest.raises(ValueError, match='no regressor'):
        reconstruct(model, None, None, None)


def test_the_demo_settings_fit_any_number_of_pictures(tmp_path):
    from tools.demo import own_pictures

    options = own_pictures(write_images(tmp_path / 'few', 5))
    assert options['custom_hooks.0.total_batch_size'] in (4, 5)
    (tmp_path / 'none').mkdir()
    with pytest.raises(ValueError, match='found none'):
        own_pictures(tmp_path / 'none')
