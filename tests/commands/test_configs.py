"""The configs that the commands write: valid for every encoder and machine, and as they say."""

import re

import pytest
from mmengine.config import Config

from bootmae_mm.commands import pretraining_config
from bootmae_mm.commands.pictures import Pictures
from bootmae_mm.commands.recipe import recipe
from bootmae_mm.commands.shapes import ARCHS, Shape
from bootmae_mm.commands.wish import Wish
from bootmae_mm.commands.writing import write_config
from bootmae_mm.preflight.config.check import check_config
from bootmae_mm.preflight.doctor.case import Case
from bootmae_mm.preflight.doctor.checkup import examine
from tests.helpers import written_configs as written
from tests.helpers.dense_data import write_ade20k, write_coco
from tests.helpers.images import write_images
from tests.helpers.written_configs import CONFIG_TEXTS, CPU, GPUS, MEAN, fit

# All points of the doctor but those that take seconds or look at weights that are not there.
POINTS = ('config', 'model', 'pipelines', 'classes', 'data', 'metrics', 'total batch', 'epoch')
POINTS += ('schedules', 'averages')


def checked(text: str, wish: Wish, processes: int) -> Config:
    """The config that was written, after the doctor has seen nothing wrong."""
    write_config(wish.config, text)
    cfg = Config.fromfile(wish.config)
    check_config(cfg)
    cfg.model.backbone.init_cfg = None
    found = examine(Case(cfg, cfg, processes), POINTS)
    wrong = [(point, f.sentence) for point, f in found if f.level in ('warning', 'error')]
    assert wrong == []
    return cfg


@pytest.mark.parametrize('machine', [CPU, GPUS], ids=['cpu', 'gpus'])
@pytest.mark.parametrize('epochs', [100, 20_000], ids=['short', 'long'])
@pytest.mark.parametrize('name', ['mini', 'base', 'large'])
def test_pretraining(name, epochs, machine, tmp_path):
    write_images(tmp_path / 'pictures', 40)
    shape = Shape((64, 128), 8) if name == 'mini' else Shape((224, 224), 14)
    found = recipe(40, epochs, ARCHS[name].width)
    wish = Wish('pretrain', str(tmp_path / 'pictures'), str(tmp_path / 'run'), {'size': (64, 128)})
    pictures = Pictures(tmp_path / 'pictures', 40, (32, 32), [])
    choice = pretraining_config.Choice(
        pictures, machine, name, ARCHS[name], shape, found, start=None
    )
    measured = fit(machine, found.total_batch)
    text = pretraining_config.config_text(wish, choice, measured)
    cfg = checked(text, wish, measured.processes)
    assert f'    {wish.command()}\n' in text and '--size 64x128' in text
    assert cfg.train_dataloader.batch_size * measured.processes == found.total_batch
    assert cfg.train_pipeline[2].type == ('RandomMasking' if epochs == 100 else 'BlockwiseMasking')
    assert cfg.model.pixel_head.norm == ('patch' if epochs == 100 else 'channel')
    rows, columns = shape.grid
    assert cfg.train_pipeline[2].num_masked == round(0.75 * rows * columns)
    assert cfg.work_dir == str(tmp_path / 'run')


def test_every_number_has_a_reason_above_or_beside_it(tmp_path):
    found = recipe(40, 100, 96)
    wish = Wish('pretrain', 'pictures', str(tmp_path), {})
    choice = pretraining_config.Choice(
        Pictures(tmp_path, 40, (32, 32), []),
        CPU,
        'mini',
        ARCHS['mini'],
        Shape((64, 64), 8),
        found,
        None,
    )
    text = pretraining_config.config_text(wish, choice, None)
    for name in ('total_batch_size', 'max_epochs', 'warmup_epochs', 'lr'):
        assert re.search(rf'^# .*\n{name} = ', text, re.MULTILINE), name


@pytest.mark.parametrize('machine', [CPU, GPUS], ids=['cpu', 'gpus'])
@pytest.mark.parametrize('name', ['mini', 'base', 'large'])
def test_fine_tuning(name, machine, tmp_path):
    for label in ('a b', "it's", 'c'):
        write_images(tmp_path / f'classes/{label}', 10)
    choice, wish = written.finetune(name, machine, tmp_path / 'classes', tmp_path / 'run')
    measured = fit(machine, choice.recipe.total_batch)
    text = CONFIG_TEXTS['finetune'](wish, choice, measured)
    cfg = checked(text, wish, measured.processes)
    choice = choice._replace(encoder=choice.encoder._replace(scratch=True))
    scratch = CONFIG_TEXTS['finetune'](wish, choice, measured)
    changed = {*text.splitlines()} ^ {*scratch.splitlines()}
    assert len(changed) == 2 and all('init_cfg=' in line for line in changed)
    assert cfg.model.head.num_classes == 3 and cfg.model.data_preprocessor.mean == MEAN
    assert cfg.val_evaluator.topk == (1,)


@pytest.mark.parametrize('machine', [CPU, GPUS], ids=['cpu', 'gpus'])
@pytest.mark.parametrize('name', ['mini', 'base', 'large'])
def test_segmentation(name, machine, tmp_path):
    root = write_ade20k(tmp_path / 'scenes')
    choice, wish = written.segment(name, machine, root, tmp_path / 'run')
    measured = fit(machine, choice.recipe.total_batch)
    cfg = checked(CONFIG_TEXTS['segment'](wish, choice, measured), wish, measured.processes)
    assert choice.crop == 64 and cfg.model.data_preprocessor.size == (64, 64)
    assert cfg.train_dataloader.batch_size * measured.processes == choice.recipe.total_batch
    assert cfg.train_dataloader.dataset.reduce_zero_label
    deep = dict(mini=[1, 2, 3, 5], large=[7, 11, 15, 23])
    assert cfg.model.backbone.out_indices == deep.get(name, [3, 5, 7, 11])


@pytest.mark.parametrize('masks', [True, False], ids=['masks', 'boxes'])
@pytest.mark.parametrize('machine', [CPU, GPUS], ids=['cpu', 'gpus'])
@pytest.mark.parametrize('name', ['mini', 'base', 'large'])
def test_detection(name, machine, masks, tmp_path):
    root = write_coco(tmp_path / 'coco')
    choice, wish = written.detect(name, machine, root, tmp_path / 'run', masks)
    measured = fit(machine, choice.recipe.total_batch)
    cfg = checked(CONFIG_TEXTS['detect'](wish, choice, measured), wish, measured.processes)
    assert cfg.model.type == ('MaskRCNN' if masks else 'FasterRCNN')
    assert (cfg.model.roi_head.get('mask_head') is None) != masks
    assert cfg.model.neck[1].in_channels == [ARCHS[name].width] * 4
    assert choice.scale == ((217, 130) if machine.gpus else (213, 128))
