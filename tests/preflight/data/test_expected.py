"""What a config expects of its data."""

import re

import pytest
from mmengine.config import Config

from bootmae_mm.preflight.data import ade20k, coco
from bootmae_mm.preflight.data.expected import expectations
from tests.helpers.dense_data import DET_CLASSES, tiny_det, tiny_seg, write_ade20k, write_coco
from tests.helpers.labelled_data import load_tool
from tests.helpers.paths import ROOT


def levels(module, root: str, options: dict) -> set[str]:
    return {finding.level for finding in module.check(root, **options)}


def test_of_instances(tmp_path):
    """Other names of files and folders, classes and masks are the config's."""
    root = write_coco(tmp_path / 'data')
    (root / 'annotations').rename(root / 'labels')
    (root / 'train2017').rename(root / 'pictures')
    cfg = tiny_det(root, tmp_path)
    cfg.train_dataloader.dataset.update(
        ann_file='labels/instances_train2017.json', data_prefix=dict(img='pictures')
    )
    cfg.val_dataloader.dataset.ann_file = 'labels/instances_val2017.json'
    found, options = expectations(cfg, 'coco')
    assert found == str(root) and options['classes'] == DET_CLASSES and options['with_mask']
    assert options['splits'] == {
        'train': (root / 'labels/instances_train2017.json', root / 'pictures'),
        'val': (root / 'labels/instances_val2017.json', root / 'val2017'),
    }
    assert levels(coco, root, options) == {'ok'}
    assert levels(coco, root, options | dict(classes=('person', 'ox'))) == {'ok', 'error'}
    cfg = tiny_det(root, tmp_path, 'det/faster_rcnn_bootmae_vitb_1x')
    assert not expectations(cfg, 'coco')[1]['with_mask']


def test_the_tool_reads_a_config(tmp_path, capsys):
    root, config = write_coco(tmp_path / 'data'), tmp_path / 'mine.py'
    classes = ('person', 'ox')
    config.write_text(
        f"_base_ = ['{ROOT}/configs/demo/detect.py']\n"
        f'dataset = dict(data_root={str(root)!r}, metainfo=dict(classes={classes}))\n'
        'train_dataloader = val_dataloader = dict(dataset=dataset)\n'
    )
    assert load_tool('check_data').main(['coco', '--config', str(config)]) == 1
    said = capsys.readouterr().out
    assert said.count(' ERROR') == 0 and said.count('ERROR') == 2
    assert re.search(r'ERROR train: Expected the 2 classes .*\(person, bicycle\).* not: ox', said)
    config.write_text(config.read_text().replace('ox', 'bicycle'))
    assert load_tool('check_data').main(['coco', '--config', str(config)]) == 0
    with pytest.raises(SystemExit) as caught:
        load_tool('check_data').main(['coco'])
    assert caught.value.code == 2 and 'expected the folder' in capsys.readouterr().err


def test_of_label_maps(tmp_path):
    root = write_ade20k(tmp_path / 'data')
    found, options = expectations(tiny_seg(root, tmp_path), 'ade20k')
    assert (found, options) == (str(root), dict(num_classes=3, reduce_zero_label=True))
    assert 'error' not in levels(ade20k, root, options)


def test_of_images():
    cfg = Config.fromfile(ROOT / 'configs/finetune/bootmae_vitb_finetune_100e.py')
    assert expectations(cfg, 'imagenet') == ('data/imagenet', dict(num_classes=1000))
    cfg = Config.fromfile(ROOT / 'configs/pretrain/bootmae_vitb_300e.py')
    assert expectations(cfg, 'images') == (cfg.train_dataloader.dataset.data_root, {})


@pytest.mark.parametrize('kind', ['coco', 'ade20k', 'imagenet'])
def test_data_of_another_kind(kind):
    cfg = Config.fromfile(ROOT / 'configs/pretrain/bootmae_vitb_300e.py')
    with pytest.raises(ValueError, match=f'of the kind .{kind}., found a UnlabelledImages'):
        expectations(cfg, kind)
    with pytest.raises(ValueError, match='config with a training set'):
        expectations(Config(), kind)
