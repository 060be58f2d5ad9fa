"""What the demo computes and shows; the demo itself is run by ``make demo``."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from mmpretrain.registry import MODELS
from PIL import Image

from bootmae_mm.data.synthetic import data_sets
from bootmae_mm.data.synthetic.shapes import CLASSES
from bootmae_mm.encoder import tokens
from bootmae_mm.engine.tables import as_text
from bootmae_mm.pretrain.reconstruct import Reconstruction, reconstruct
from bootmae_mm.studies.demo import predictions, running, stages, summary
from tests.helpers.demo_outcomes import OUTCOMES
from tests.helpers.images import write_images
from tests.helpers.models import build_tiny, random_samples


def test_the_table_gives_mean_spread_and_gain():
    assert summary.table(OUTCOMES) == [
        ('linear probe', 'top-1', '21.0 ± 1.0 %', '32.0 ± 1.0 %', '+11.0'),
        ('fine-tuning', 'top-1', '41.0 ± 1.0 %', '40.0 ± 1.0 %', '-1.0'),
        ('segmentation', 'mIoU', '11.0 ± 1.0 %', '13.5 ± 1.0 %', '+2.5'),
        ('detection', 'box AP', '2.0 ± 1.0 %', '4.0 ± 1.0 %', '+2.0'),
        ('detection', 'mask AP', '3.0 ± 1.0 %', '6.0 ± 1.0 %', '+3.0'),
    ]
    lines = as_text(summary.HEADER, summary.table(OUTCOMES)).splitlines()
    assert lines[1].index('32.0') == lines[0].index('pretrained')


def test_metrics_hold_every_run(tmp_path):
    summary.write_metrics(tmp_path / 'metrics.json', OUTCOMES, {'pretrain': 3.5})
    metrics = json.loads((tmp_path / 'metrics.json').read_text())
    assert len(metrics['runs']) == 24 and metrics['seconds'] == {'pretrain': 3.5}
    expected = {'task': 'detection', 'start': 'pretrained', 'seed': 2, 'box AP': 5.0}
    assert {**expected, 'mask AP': 7.0} in metrics['runs']


def test_the_report_shows_results_and_predictions(tmp_path):
    pictures = Reconstruction(*[np.zeros((2, 4, 4, 3), np.uint8)] * 4)
    names = 'L_pixel', 'L_feature', 'teacher_spread', 'feature_spread'
    logged = {name: [(1, 1.0), (2, 1.0)] for name in names}
    truth = [np.zeros((6, 6, 3), np.uint8)] * 2
    seconds = {'pretrain': 1.0}
    path = tmp_path / 'report.html'
    summary.write_report(path, logged, pictures, OUTCOMES, truth, seconds)
    with_labels = path.read_text()
    assert 'Predictions: segmentation' in with_labels and '13.5 ± 1.0 %' in with_labels
    assert with_labels.count('<img') == 2 * 4 + 2 * 2 * 3
    summary.write_report(path, logged, pictures, {}, [], seconds)
    assert path.read_text().count('<img') == 2 * 4


def test_the_drawn_pictures_are_of_all_classes(tmp_path, monkeypatch):
    """The folder says so, too: it once named the four classes of the dense tasks."""
    for name in ('NUM_TRAIN', 'NUM_VAL', 'NUM_DENSE_TRAIN', 'NUM_DENSE_VAL'):
        monkeypatch.setattr(data_sets, name, 8)
    monkeypatch.setattr(data_sets, 'LABELS_PER_CLASS', 1)
    data_sets.draw(tmp_path, print)
    assert json.loads((tmp_path / 'shapes/dataset.json').read_text())['classes'] == list(CLASSES)
    assert {path.name for path in (tmp_path / 'shapes/train').iterdir()} == set(CLASSES)
    assert len((tmp_path / 'shapes/labelled.txt').read_text().splitlines()) == len(CLASSES)


ALPHA = 0.6  # of a colour over a grey of 100
JITTER = 64  # of mmdet's colours of masks


def grey_picture(path) -> np.ndarray:
    """A picture of 32 × 32 pixels, which are enlarged eight times."""
    pixels = np.full((32, 32, 3), 100, np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def mixed(colour: tuple[int, int, int]) -> np.ndarray:
    """A class's colour as it is painted."""
    return (1 - ALPHA) * 100 + ALPHA * np.array(colour)


def trained(scope: str, sample: BaseDataElement) -> SimpleNamespace:
    """A trained run that says the same of every picture."""
    model = SimpleNamespace(eval=lambda: None, val_step=lambda batch: [sample])
    cfg = SimpleNamespace(default_scope=scope)
    return SimpleNamespace(cfg=cfg, model=model, val_dataloader=[None] * 3)


def test_both_toolboxes_paint_a_class_in_the_same_colour():
    seg, det = predictions.classes('mmseg'), predictions.classes('mmdet')
    assert seg['classes'] == ['background', *CLASSES] and det['classes'] == list(CLASSES)
    assert seg['palette'][1:] == det['palette'] and len({*seg['palette']}) == 1 + len(CLASSES)


def test_labels_are_painted_in_the_colour_of_their_class(tmp_path):
    """Of the truth and of a segmentor's predictions; names of the classes cover a part."""
    image, labels = grey_picture(tmp_path / 'a.png'), np.zeros((32, 32), np.uint8)
    labels[:12, 10:], labels[20:, :20] = 1, 8
    [truth] = predictions.paint_truth([image], [labels])
    assert truth.shape == (256, 256, 3) and truth.dtype == np.uint8
    for label in (0, 1, 8):
        own = truth[labels.repeat(8, 0).repeat(8, 1) == label]
        expected = mixed(predictions.classes('mmseg')['palette'][label])
        assert (np.abs(own - expected).max(-1) <= 1).mean() > 0.8
    sample = BaseDataElement(metainfo=dict(img_path=str(tmp_path / 'a.png')))
    sample.pred_sem_seg = PixelData(data=torch.from_numpy(labels)[None])
    painted = predictions.predict(trained('mmseg', sample), 2)
    assert len(painted) == 2 and all(np.array_equal(picture, truth) for picture in painted)


def test_the_most_certain_instance_is_shown_with_its_box(tmp_path):
    """However uncertain it is. (Its name is at the upper left of its box.)"""
    grey_picture(tmp_path / 'a.png')
    masks = torch.zeros(2, 32, 32, dtype=torch.bool)
    masks[0, :8], masks[1, 24:28, 20:28] = True, True
    instances = InstanceData(
        scores=torch.tensor([0.1, 0.2]),
        labels=torch.tensor([0, 3]),
        bboxes=torch.tensor([[0.0, 0.0, 32.0, 8.0], [8.0, 12.0, 28.0, 28.0]]),
        masks=masks,
    )
    sample = BaseDataElement(metainfo=dict(img_path=str(tmp_path / 'a.png')))
    sample.pred_instances = instances
    painted = predictions.predict(trained('mmdet', sample), 2)
    assert len(painted) == 2
    for picture in painted:
        picture = picture.astype(float)
        colour = predictions.classes('mmdet')['palette'][3]
        mask = picture[24 * 8 + 4 : 28 * 8 - 4, 20 * 8 + 4 : 28 * 8 - 4]
        assert np.abs(mask - mixed(colour)).max() <= ALPHA * JITTER + 1
        left = picture[18 * 8 : 26 * 8, 8 * 8 - 1 : 8 * 8 + 1]
        between = np.sort([mixed(colour), colour], axis=0)  # edges are painted twice
        assert (left >= between[0] - 1).all() and (left <= between[1] + 1).all()
        outside = picture[: 11 * 8], picture[:, : 7 * 8], picture[29 * 8 :]
        inside = picture[18 * 8 : 23 * 8, 10 * 8 : 26 * 8]
        assert all(np.abs(part - 100).max() <= 1 for part in (*outside, inside))


@pytest.mark.parametrize('task', stages.TASKS)
@pytest.mark.parametrize('start', ['scratch', 'pretrained'])
def test_a_job_has_its_data_start_and_seed(tmp_path, task, start):
    cfg = stages.job_config(stages.Job(task, start, 2), tmp_path, tmp_path / 'c.pth', tmp_path)
    assert cfg.randomness.seed == 2
    root = str(tmp_path / stages.TASKS[task].data)
    assert cfg.train_dataloader.dataset.data_root == cfg.val_dataloader.dataset.data_root == root
    init_cfg = cfg.model.backbone.get('init_cfg')
    expected = dict(type='PretrainedEncoder', checkpoint=str(tmp_path / 'c.pth'))
    assert init_cfg == (expected if start == 'pretrained' else None)
    if task == 'detection':
        assert cfg.val_evaluator.ann_file.startswith(root)


def test_progress_is_read_from_mmengines_log():
    line = (
        '2026/01/01 - mmengine - INFO - Epoch(train)  [3][16/64]  lr: 1.0e-03  eta: 0:03:22  '
        'time: 0.2  loss: 1.5  L_pixel: 1.2  L_feature: 0.3'
    )
    assert stages.last_progress('noise\n' + line) == (
        'epoch 3 (16 of 64 steps), 0:03:22 left, pixel loss 1.2, feature loss 0.3'
    )
    assert stages.last_progress('noise') == 'starting ...'


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


def test_the_pictures_of_the_report_are_those_of_the_folder(tmp_path):
    """With the demo's own config: half-size copies of pictures of one colour each."""
    colours = [(250, 10, 10), (10, 200, 60)]
    for index, colour in enumerate(colours):
        Image.new('RGB', (64, 80), colour).save(tmp_path / f'{index}.png')
    cfg = Config.fromfile(stages.CONFIGS / 'pretrain.py')
    model = MODELS.build(cfg.model)
    torch.save(model.state_dict(), tmp_path / 'model.pth')
    shown = stages.pictures(tmp_path, tmp_path / 'model.pth')
    assert shown.original.shape == shown.paste.shape == (2, 32, 32, 3)
    for picture, colour in zip(shown.original, colours, strict=True):
        assert np.abs(picture.astype(int) - colour).max() <= 1
    grey = (np.abs(shown.masked.astype(int) - 127) <= 1).all(-1).mean((1, 2))
    assert grey == pytest.approx([48 / 64] * 2)


def test_pictures_need_a_regressor():
    model = build_tiny(regressor=None, pixel_head=None)
    with pytest.raises(ValueError, match='no regressor'):
        reconstruct(model, None, None, None)


def test_the_demo_settings_fit_any_number_of_pictures(tmp_path):
    options = running.own_pictures(write_images(tmp_path / 'few', 5))
    assert options['custom_hooks.total_batch.total_batch_size'] in (4, 5)
    (tmp_path / 'none').mkdir()
    with pytest.raises(ValueError, match='found none'):
        running.own_pictures(tmp_path / 'none')
