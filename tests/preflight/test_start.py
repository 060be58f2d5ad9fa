"""Data checks around a run: the hook, the transform, and what they let pass."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmdet.registry import DATASETS as DET_DATASETS
from mmengine.config import Config
from mmpretrain.registry import DATASETS, MODELS
from mmseg.registry import TRANSFORMS as SEG_TRANSFORMS

from bootmae_mm.engine.build import build_runner
from bootmae_mm.engine.resume.changes import snapshot
from bootmae_mm.preflight import start
from bootmae_mm.preflight.data.datasets import check_dataset, check_same_classes, head_classes
from bootmae_mm.preflight.data.files import Finding
from bootmae_mm.preflight.start import check_before_training
from tests.helpers.data_cases import (
    BUILDERS,
    MODELS_OF,
    TASKS,
    assert_one_sentence,
    classifier,
    det_config,
    detector,
    edit_json,
    image_config,
    labels,
    without_segmentation,
    write_flowers,
)
from tests.helpers.dense_data import write_ade20k, write_coco
from tests.helpers.models import tiny_config


@pytest.mark.parametrize('task', TASKS)
def test_good_data(task, tmp_path):
    write, make, _ = TASKS[task]
    dataset = BUILDERS[task].build(make(write(tmp_path / 'data')))
    check_dataset(dataset, MODELS_OF[task](), 'train')


def test_boxes_need_no_segmentation(tmp_path):
    root = write_coco(tmp_path / 'data')
    edit_json(root, without_segmentation)
    check_dataset(DET_DATASETS.build(det_config(root)), detector(with_mask=False), 'train')


def test_classes_numbered_differently(tmp_path):
    train = DATASETS.build(image_config(write_flowers(tmp_path / 'train')))
    (write_flowers(tmp_path / 'val') / 'iris').rename(tmp_path / 'val/tulip')
    val = DATASETS.build(image_config(tmp_path / 'val'))
    check_same_classes(train, train)
    with pytest.raises(ValueError) as caught:
        check_same_classes(train, val)
    assert_one_sentence(caught.value, 'found 2 and 2, different ones: iris, tulip')
    swapped = DATASETS.build(image_config(tmp_path / 'train', ann_file='list.txt', classes=['b']))
    swapped._metainfo['classes'] = ('rose', 'iris')
    with pytest.raises(ValueError, match='in another order'):
        check_same_classes(train, swapped)


def test_heads_of_real_models():
    config = dict(type='LinearClsHead', num_classes=7, in_channels=24)
    model = MODELS.build(
        dict(type='ImageClassifier', backbone=tiny_config()['backbone'], head=config)
    )
    assert head_classes(model) == {'head': 7}
    assert head_classes(detector(5)) == {'roi_head.bbox_head.0': 5, 'roi_head.mask_head': 5}


@pytest.mark.parametrize('loader', ['LoadAnyImage', 'LoadImageFromFile'])
def test_an_encoder_of_one_channel_is_refused(tmp_path, loader):
    root = write_flowers(tmp_path / 'data')
    dataset = DATASETS.build(image_config(root, pipeline=[dict(type=loader)]))
    model = classifier(2)
    model.backbone = MODELS.build({**tiny_config()['backbone'], 'in_channels': 1})
    with pytest.raises(ValueError) as caught:
        check_dataset(dataset, model, 'train')
    assert_one_sentence(caught.value, r'backbone.in_channels=3, .*train data set.* found 1')


# While loading -----------------------------------------------------------------------------------


@pytest.mark.parametrize('reduce_zero_label', [True, False])
@pytest.mark.parametrize('value', range(6))
def test_labels_are_checked_as_they_are_loaded(value, reduce_zero_label, tmp_path):
    """After mmseg's own loader, for three classes: 1 to 3, 0 ignored, or 0 to 2."""
    root = write_ade20k(tmp_path / 'data')
    labels(root, value)
    load, check = (
        SEG_TRANSFORMS.build(cfg)
        for cfg in (dict(type='LoadAnnotations'), dict(type='CheckSegLabels', num_classes=3))
    )
    results = dict(
        seg_map_path=str(root / 'annotations/training/0.png'),
        reduce_zero_label=reduce_zero_label,
        seg_fields=[],
    )
    loaded = load(results)
    if value in ((0, 1, 2, 3) if reduce_zero_label else (0, 1, 2)):
        assert check(loaded) is loaded
        return
    with pytest.raises(ValueError) as caught:
        check(loaded)
    assert_one_sentence(caught.value, r'labels 0 to 2, or 255 .*, found .* in .*0.png')


# In a run ----------------------------------------------------------------------------------------


def run_config(root: Path, num_classes: int, work_dir: Path) -> Config:
    """A tiny classifier on the flowers, for one epoch."""
    loader = dict(
        batch_size=2,
        num_workers=0,
        collate_fn=dict(type='default_collate'),
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=image_config(
            root, pipeline=[dict(type='LoadAnyImage'), dict(type='Resize', scale=32)]
            + [dict(type='PackInputs')],
        ),
    )  # fmt: skip
    backbone = tiny_config()['backbone'] | dict(out_type='avg_featmap', final_norm=False)
    head = dict(type='LinearClsHead', num_classes=num_classes, in_channels=24)
    return Config(
        dict(
            model=dict(type='ImageClassifier', backbone=backbone, head=head),
            train_dataloader=loader,
            val_dataloader=loader,
            test_dataloader=loader,
            train_cfg=dict(by_epoch=True, max_epochs=1),
            val_cfg=dict(),
            test_cfg=dict(),
            val_evaluator=dict(type='Accuracy'),
            test_evaluator=dict(type='Accuracy'),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
            custom_hooks=[dict(type='DataCheckHook')],
            default_scope='mmpretrain',
            work_dir=str(work_dir),
            experiment_name=work_dir.name,
        )
    )


@pytest.mark.parametrize('mode', ['train', 'val', 'test'])
def test_a_run_stops_at_its_start(mode, tmp_path):
    root = write_flowers(tmp_path / 'data')
    runner = build_runner(run_config(root, 1, tmp_path / f'bad_{mode}'))
    with pytest.raises(ValueError) as caught:
        getattr(runner, mode)()
    assert_one_sentence(caught.value, f'1 classes in the {mode} data set, .*found 2 .*: iris, rose')
    assert runner.iter == 0


def test_a_good_run_is_checked_once(tmp_path, monkeypatch):
    checked = []
    monkeypatch.setattr(
        'bootmae_mm.preflight.doctor.data.check_dataset',
        lambda *args: checked.append(args[2]) or [],
    )
    cfg = run_config(write_flowers(tmp_path / 'data'), 2, tmp_path / 'good')
    runner = build_runner(cfg)
    check_before_training(runner, cfg)
    runner.train()
    assert runner.iter == 3 and checked == ['train', 'val']


def test_a_run_says_that_its_encoder_had_other_pictures(tmp_path, monkeypatch):
    path, said = str(tmp_path / 'pretrained.pth'), []
    preprocessor = dict(mean=[127.5] * 3, std=[127.5] * 3)
    pretrained = snapshot(Config(dict(model=dict(data_preprocessor=preprocessor))))
    torch.save(dict(meta=dict(training=pretrained), state_dict={}), path)
    cfg = run_config(write_flowers(tmp_path / 'data'), 2, tmp_path / 'tuned')
    cfg.model.backbone.init_cfg = dict(type='PretrainedEncoder', checkpoint=path)
    runner = build_runner(cfg)
    monkeypatch.setattr(runner.logger, 'warning', said.append)
    check_before_training(runner, cfg)
    (sentence,) = (text for text in said if 'normalised' in text)
    assert 'by mean 127.5, 127.5, 127.5, std 127.5, 127.5, 127.5, found neither' in sentence


def check_in_process(rank: int, folder: str, queue) -> None:
    dist.init_process_group('gloo', f'file://{folder}/store', rank=rank, world_size=2)
    sentence = 'what is wrong' if rank == 0 else 'not asked for'
    start.Case = SimpleNamespace(of_runner=lambda *args: None)
    start.examine = lambda *args: [('data', Finding('error', sentence))]
    try:
        start.DataCheckHook().before_test(None)
    except ValueError as error:
        queue.put(str(error))
    dist.destroy_process_group()


def test_all_processes_stop(tmp_path):
    """The main process looks, both raise."""
    context = mp.get_context('fork')
    queue = context.SimpleQueue()
    workers = [
        context.Process(target=check_in_process, args=(rank, str(tmp_path), queue))
        for rank in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert [queue.get() for _ in workers if not queue.empty()] == ['what is wrong'] * 2
