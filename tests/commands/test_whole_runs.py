"""From a folder of pictures to a classifier, segmentor and detector, with the real tools."""

import shutil

import pytest
from mmengine.config import Config

from bootmae_mm.commands.labelled.detection import detect
from bootmae_mm.commands.labelled.fine_tuning import finetune
from bootmae_mm.commands.labelled.segmentation import segment
from bootmae_mm.commands.pretraining import pretrain
from tests.helpers.dense_data import write_ade20k, write_coco
from tests.helpers.images import write_images

pytestmark = pytest.mark.long


@pytest.fixture(scope='module')
def pretrained(tmp_path_factory):
    """A run of three epochs, with one damaged picture."""
    folder = tmp_path_factory.mktemp('commands')
    write_images(folder / 'pictures', 40)
    (folder / 'pictures/damaged.png').write_bytes(b'no picture')
    said = []
    run = pretrain(str(folder / 'pictures'), str(folder / 'run'), said.append, epochs=3)
    assert run.status == 0 and run.checkpoint.name == 'epoch_3.pth', said
    assert any('1 of 41 sampled images cannot be decoded' in line for line in said)
    assert any(line.startswith('epoch 1') for line in said)
    assert (run.work_dir / 'report.html').is_file()
    return run


def test_the_config_stays_and_the_run_is_over(pretrained):
    config = pretrained.work_dir / 'config.py'
    text = config.read_text()
    assert '# A 20th of the run' in text
    again = pretrain(
        str(pretrained.work_dir.parent / 'pictures'),
        str(pretrained.work_dir), lambda line: None, epochs=3,
    )  # fmt: skip
    assert again.status == 0 and config.read_text() == text


def test_classes(pretrained, tmp_path):
    for seed, name in enumerate(('cat', 'dog')):
        write_images(tmp_path / f'classes/{name}', 10, seed)
    found = finetune(str(tmp_path / 'classes'), str(pretrained.work_dir), epochs=2)
    assert 0 <= found.scores['accuracy/top1'] <= 100
    assert found.work_dir.name == 'run_finetune' and found.checkpoint.is_file()
    cfg = Config.fromfile(found.work_dir / 'config.py')
    assert cfg.model.backbone.init_cfg.checkpoint == str(pretrained.checkpoint)


def test_scenes(pretrained, tmp_path):
    root = write_ade20k(tmp_path / 'scenes')
    found = segment(str(root), str(pretrained.checkpoint), str(tmp_path / 'run'), epochs=2)
    assert 0 <= found.scores['mIoU'] <= 100


def test_instances(pretrained, tmp_path):
    root = write_coco(tmp_path / 'coco')
    shutil.rmtree(root / 'val2017')
    (root / 'annotations/instances_val2017.json').unlink()
    found = detect(str(root), str(pretrained.work_dir), str(tmp_path / 'run'), epochs=2)
    assert 0 <= found.scores['coco/segm_mAP'] <= 1
