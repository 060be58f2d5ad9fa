"""The configs that the commands write: valid for every encoder and machine, and as they say."""

import re

import pytest
from mmengine.config import Config

from bootmae_mm.commands import pretraining_config
from bootmae_mm.commands.encoders import Encoder
from bootmae_mm.commands.fitting import Fit
from bootmae_mm.commands.labelled import detection_config, fine_tuning_config, segmentation_config
from bootmae_mm.commands.labelled.class_folders import look_at_classes
from bootmae_mm.commands.labelled.instances import look_at_instances
from bootmae_mm.commands.labelled.label_folders import look_at_labels
from bootmae_mm.commands.labelled.recipe import (
    DETECTION,
    FINE_TUNING,
    SEGMENTATION,
    labelled_recipe,
)
from bootmae_mm.commands.machine import Machine
from bootmae_mm.commands.pictures import Pictures
from bootmae_mm.commands.recipe import recipe
from bootmae_mm.commands.shapes import ARCHS, Shape
from bootmae_mm.commands.wish import Wish
from bootmae_mm.commands.writing import write_config
from bootmae_mm.preflight.config.check import check_config
from bootmae_mm.preflight.doctor.case import Case
from bootmae_mm.preflight.doctor.checkup import examine
from bootmae_mm.preflight.planning.arithmetic import Measurement
from tests.helpers.dense_data import write_ade20k, write_coco
from tests.helpers.images import write_images

CPU = Machine(0, '', 16 << 30, 2, 'float32')
GPUS = Machine(8, 'card', 80 << 30, 64, 'bfloat16')
MEASURED = Measurement({}, 'card', '2026-01-31', 16, [0.1], 3 << 30, 1 << 30, 100.0, 'here', 40)
# All points of the doctor but those that take seconds or look at weights that are not there.
POINTS = ('config', 'model', 'pipelines', 'classes', 'data', 'metrics', 'total batch', 'epoch')
POINTS += ('schedules', 'averages')
MEAN, STD = [1.0, 2.0, 3.0], [4.0, 5.0, 6.0]


def fit(machine: Machine, total: int) -> Fit:
    return Fit(machine, machine.processes(total), MEASURED)


def encoder(name: str) -> Encoder:
    shape = dict(img_size=(64, 64), patch_size=8)
    if name != 'mini':
        shape = dict(img_size=(224, 224), patch_size=16)
    checkpoint = 'some/epoch_1.pth'
    return Encoder(checkpoint, dict(arch=ARCHS[name].backbone, **shape), MEAN, STD)


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
    classes = look_at_classes(tmp_path / 'classes')
    found = labelled_recipe(FINE_TUNING, classes.counts[0], None, ARCHS[name].width)
    wish = Wish('finetune', str(tmp_path / 'classes'), str(tmp_path / 'run'), {'from': 'start'})
    for split, lines in zip(('train', 'val'), classes.lists, strict=True):
        write_config(wish.config.with_name(f'{split}.txt'), '\n'.join(lines))
    choice = fine_tuning_config.Choice(encoder(name), classes, found, machine)
    measured = fit(machine, found.total_batch)
    text = fine_tuning_config.config_text(wish, choice, measured)
    cfg = checked(text, wish, measured.processes)
    choice = choice._replace(encoder=choice.encoder._replace(scratch=True))
    scratch = fine_tuning_config.config_text(wish, choice, measured)
    changed = {*text.splitlines()} ^ {*scratch.splitlines()}
    assert len(changed) == 2 and all('init_cfg=' in line for line in changed)
    assert cfg.model.head.num_classes == 3 and cfg.model.data_preprocessor.mean == MEAN
    assert cfg.val_evaluator.topk == (1,)


@pytest.mark.parametrize('machine', [CPU, GPUS], ids=['cpu', 'gpus'])
@pytest.mark.parametrize('name', ['mini', 'base', 'large'])
def test_segmentation(name, machine, tmp_path):
    scenes = look_at_labels(write_ade20k(tmp_path / 'scenes'), True)
    found = labelled_recipe(SEGMENTATION, scenes.counts[0], None, ARCHS[name].width)
    wish = Wish('segment', str(tmp_path / 'scenes'), str(tmp_path / 'run'), {'from': 'start'})
    crop = segmentation_config.crop_size(8 if name == 'mini' else 16, machine.gpus > 0, 65)
    choice = segmentation_config.Choice(encoder(name), scenes, found, machine, crop)
    measured = fit(machine, found.total_batch)
    text = segmentation_config.config_text(wish, choice, measured)
    cfg = checked(text, wish, measured.processes)
    assert crop == 64 and cfg.model.data_preprocessor.size == (64, 64)
    assert cfg.train_dataloader.batch_size * measured.processes == found.total_batch
    assert cfg.train_dataloader.dataset.reduce_zero_label
    deep = dict(mini=[1, 2, 3, 5], large=[7, 11, 15, 23])
    assert cfg.model.backbone.out_indices == deep.get(name, [3, 5, 7, 11])


@pytest.mark.parametrize('masks', [True, False], ids=['masks', 'boxes'])
@pytest.mark.parametrize('machine', [CPU, GPUS], ids=['cpu', 'gpus'])
@pytest.mark.parametrize('name', ['mini', 'base', 'large'])
def test_detection(name, machine, masks, tmp_path):
    instances = look_at_instances(write_coco(tmp_path / 'coco'))._replace(masks=masks)
    found = labelled_recipe(DETECTION, 8, None, ARCHS[name].width)
    wish = Wish('detect', str(tmp_path / 'coco'), str(tmp_path / 'run'), {'from': 'start'})
    choice = detection_config.Choice(encoder(name), instances, found, machine, (65, 90))
    measured = fit(machine, found.total_batch)
    text = detection_config.config_text(wish, choice, measured)
    cfg = checked(text, wish, measured.processes)
    assert cfg.model.type == ('MaskRCNN' if masks else 'FasterRCNN')
    assert (cfg.model.roi_head.get('mask_head') is None) != masks
    assert cfg.model.neck[1].in_channels == [ARCHS[name].width] * 4
    assert choice.scale == ((217, 130) if machine.gpus else (213, 128))
