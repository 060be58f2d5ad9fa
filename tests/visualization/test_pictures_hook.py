"""Pictures while training goes on: what is drawn and when, and that training does not notice."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import VISBACKENDS
from mmengine.visualization import BaseVisBackend
from PIL import Image

from bootmae_mm.engine.build import build_runner
from bootmae_mm.engine.hooks import hook_list
from bootmae_mm.pretrain.masking import BlockwiseMasking
from bootmae_mm.visualization import PicturesHook, hook
from bootmae_mm.visualization.images import centre_crops, find_files, read_evenly
from bootmae_mm.visualization.painting import sheet
from bootmae_mm.visualization.pretraining import pretraining_figures
from tests.helpers.images import write_images
from tests.helpers.runs import run_config

NAMES = {'reconstruction', 'cosine', 'pca'}


@VISBACKENDS.register_module()
class RecordingVisBackend(BaseVisBackend):
    """Keeps what it is given, in ``given``."""

    given = []

    def __init__(self, save_dir=None):
        self.given.clear()

    def _init_env(self):
        pass

    @property
    def experiment(self):
        return self

    def add_image(self, name, image, step=0, **kwargs):
        assert image.dtype == np.uint8 and image.ndim == 3
        self.given.append((name, step))


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_images(tmp_path / 'images', 16)


def config(folder: Path, work_dir: Path, epochs: int = 2, **settings):
    """A tiny run with the hook, or without where there are no settings; drop path makes the student
    draw random numbers."""
    cfg = run_config(folder, work_dir, epochs=epochs)
    cfg.model.backbone.drop_path_rate = 0.5
    cfg.custom_hooks.pictures = dict(type='PicturesHook', **settings) if settings else None
    return cfg


def trained(cfg):
    runner = build_runner(cfg)
    runner.train()
    return runner


def pictures_of(work_dir: Path) -> dict[str, np.ndarray]:
    files = work_dir.glob('*/vis_data/vis_image/*.png')
    return {file.stem: np.asarray(Image.open(file)) for file in files}


def test_the_recipe_has_the_hook_last(folder, tmp_path):
    *_, hook = hook_list(run_config(folder, tmp_path / 'run').custom_hooks)
    assert hook.type == 'PicturesHook' and hook.interval >= 20


def test_pictures_every_few_epochs_and_at_the_end(folder, tmp_path):
    """4 iterations an epoch; the same pictures every time, and at the end those of the weights
    that the last checkpoint holds."""
    cfg = config(folder, tmp_path / 'run', epochs=3, interval=2, num_images=2)
    cfg.visualizer.vis_backends.append(dict(type='RecordingVisBackend'))
    runner = trained(cfg)
    expected = {(name, step) for name in NAMES for step in (8, 12)}
    assert set(RecordingVisBackend.given) == expected and len(RecordingVisBackend.given) == 6
    shown = pictures_of(tmp_path / 'run')
    assert {*shown} == {f'{name}_{step}' for name, step in expected}
    originals = np.s_[28 : 28 + 128 + 4 + 128, 8 : 8 + 128]
    assert np.array_equal(shown['pca_8'][originals], shown['pca_12'][originals])

    files = find_files([str(folder)])
    crops = centre_crops(read_evenly(files.__getitem__, 16, 2), (32, 32))
    for figure in pretraining_figures(runner.model, crops, BlockwiseMasking(4, 12), seed=0):
        assert np.array_equal(shown[f'{figure.name}_12'], sheet(figure))


def test_training_is_bit_for_bit_the_same_with_and_without(folder, tmp_path):
    losses, weights = [], []
    for name, settings in dict(without={}, with_pictures=dict(interval=1)).items():
        runner = trained(config(folder, tmp_path / name, epochs=3, **settings))
        (log,) = (tmp_path / name).glob('*/vis_data/scalars.json')
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        losses.append([line['loss'] for line in lines])
        weights.append(runner.model.state_dict())
    assert len(pictures_of(tmp_path / 'with_pictures')) == 9
    assert not pictures_of(tmp_path / 'without')
    assert len(losses[0]) == 12 and losses[0] == losses[1]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_only_the_main_process_draws(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(hook, 'is_main_process', lambda: False)
    trained(config(folder, tmp_path / 'run', epochs=1, interval=1))
    assert not pictures_of(tmp_path / 'run')


def test_a_damaged_image_is_replaced(folder, tmp_path):
    (folder / '000.png').write_bytes(b'no image')
    trained(config(folder, tmp_path / 'run', epochs=1, interval=1, num_images=1))
    original = pictures_of(tmp_path / 'run')['pca_4'][28 : 28 + 128 : 4, 8 : 8 + 128 : 4]
    files = find_files([str(folder)])
    (crop,) = centre_crops(read_evenly(lambda index: files[1 + index], 1, 1), (32, 32))
    assert np.array_equal(original, crop)


def test_what_the_hook_cannot_draw(folder, tmp_path):
    with pytest.raises(ValueError, match='at least 1, found interval=0 and num_images=4'):
        PicturesHook(interval=0)
    cfg = config(folder, tmp_path / 'unmasked', interval=1)
    del cfg.train_dataloader.dataset.pipeline[2:]
    with pytest.raises(ValueError, match='found no masking transform'):
        trained(cfg)


def test_another_model_trains_without_pictures(folder, tmp_path, monkeypatch):
    class Other:
        pass

    monkeypatch.setattr(hook, 'BootMAE', Other)
    trained(config(folder, tmp_path / 'run', epochs=1, interval=1))
    assert not pictures_of(tmp_path / 'run')
    (log,) = (tmp_path / 'run').glob('*/*.log')
    assert 'found a BootMAE: there will be no pictures' in log.read_text()
