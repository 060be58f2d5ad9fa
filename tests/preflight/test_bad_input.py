"""Bad input of every kind: one clear sentence, before anything fails deep in the stack.

Tables of checkpoints, of what configs name, and of what data sets hold.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import RepeatDataset
from mmpretrain.registry import MODELS

from bootmae_mm.preflight.data.datasets import check_dataset
from bootmae_mm.preflight.data.paths import check_config_paths
from tests.helpers.data_cases import (
    BUILDERS,
    TASKS,
    TRAIN_JSON,
    assert_one_sentence,
    classifier,
    cut,
    det_config,
    detector,
    edit_json,
    labels,
    segmentor,
    without_segmentation,
)
from tests.helpers.dense_data import write_coco
from tests.helpers.images import write_images
from tests.helpers.models import build_tiny, tiny_config

# Checkpoints -------------------------------------------------------------------------------------


def ready_made(name: str):
    """A checkpoint file made of something other than the tiny encoder."""
    encoder = build_tiny().backbone.state_dict()
    detectors = {f'backbone.layer{i}.0.conv1.weight': torch.zeros(4, 4, 1, 1) for i in range(1, 5)}
    wider = dict(embed_dims=48, num_layers=3, num_heads=3, feedforward_channels=96)
    contents = {
        'another task': {**detectors, 'roi_head.bbox_head.fc_cls.weight': torch.zeros(3, 4)},
        'a head only': {'decode_head.conv_seg.weight': torch.zeros(3, 4, 1, 1)},
        'two unknown prefixes': {
            f'{tower}.{key}': value for key, value in encoder.items() for tower in ('left', 'right')
        },
        'a tensor missing': {k: v for k, v in encoder.items() if k != 'layers.1.ln1.weight'},
        'not weights': {'epoch': 3},
    }
    if name == 'another size':
        config = tiny_config()['backbone'] | dict(arch=wider)
        return MODELS.build(config).state_dict()
    return contents[name]


CHECKPOINTS = {
    'another task': 'xpected .*vision transformer.* found none',
    'a head only': 'xpected .*vision transformer.* found none',
    'two unknown prefixes': r"xpected one .* found 'left\.' \(.* and 'right\.' \(.*prefix='left",
    'a tensor missing': 'xpected .*, found .* missing are layers.1.ln1.weight',
    'another size': 'another encoder: expected 3 .* width 24 .*, found 3 .* width 48 ',
    'not weights': 'xpected weights in .*, found none',
    'truncated file': 'xpected a checkpoint .*, found a file that is damaged',
    'no file': 'xpected a checkpoint file, found nothing at',
}


@pytest.mark.parametrize('case', CHECKPOINTS)
def test_a_bad_checkpoint(case, tmp_path):
    path = tmp_path / 'weights.pth'
    if case == 'truncated file':
        torch.save(build_tiny().state_dict(), path)
        cut(path)
    elif case != 'no file':
        torch.save(ready_made(case), path)
    init_cfg = dict(type='PretrainedEncoder', checkpoint=str(path))
    model = MODELS.build(tiny_config()['backbone'] | dict(init_cfg=init_cfg))
    with pytest.raises(ValueError) as caught:
        model.init_weights()
    assert_one_sentence(caught.value, CHECKPOINTS[case])


@pytest.mark.parametrize('prefix', ['', 'backbone.', 'image_tower.'])
def test_a_prefix_need_not_be_named(prefix, tmp_path):
    state = build_tiny(seed=2).backbone.state_dict()
    torch.save({prefix + name: value for name, value in state.items()}, tmp_path / 'weights.pth')
    init_cfg = dict(type='PretrainedEncoder', checkpoint=str(tmp_path / 'weights.pth'))
    model = MODELS.build(tiny_config()['backbone'] | dict(init_cfg=init_cfg))
    model.init_weights()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


# What a config names -----------------------------------------------------------------------------

# Task, what is done to the folder, what is changed in the config, the sentence.
CONFIGS = {
    'no data_root': ('seg', None, dict(data_root='none'), "dataset.data_root says.* at 'none'"),
    'no images': (
        'det', None, dict(data_prefix=dict(img='other')), r"data_prefix, 'img', says.*/other'",
    ),
    'no label maps': (
        'seg', None, dict(data_prefix=dict(img_path='images/training', seg_map_path='labels')),
        r"data_prefix, 'seg_map_path', says.*/labels'",
    ),
    'no annotation file': (
        'det', None, dict(ann_file='none.json'), r"dataset.ann_file says.*/none.json'",
    ),
    'no list': ('image', None, dict(ann_file='none.txt'), r"dataset.ann_file says.*/none.txt'"),
    'an empty list': (
        'image', lambda r: (r / 'list.txt').write_text(''), dict(ann_file='list.txt'),
        "a line for every image in .*list.txt', .*found an empty file",
    ),
    'a list without labels': (
        'image', lambda r: (r / 'list.txt').write_text('iris/000.png 0\nrose/000.png\n'),
        dict(ann_file='list.txt'), "<label number>.*found 'rose/000.png' in line 2",
    ),
    'a list with names as labels': (
        'image', lambda r: (r / 'list.txt').write_text('iris/000.png iris\n'),
        dict(ann_file='list.txt'), "<label number>.*found 'iris/000.png iris' in line 1",
    ),
    'a hidden class': (
        'image', lambda r: (r / '.ipynb_checkpoints').mkdir(), {},
        "found .*/.ipynb_checkpoints, which CustomDataset would count as a class; remove",
    ),
    'a flat folder': (
        'image', None, dict(data_prefix='iris'),
        'images in class folders, .*found 0 folders without an image in .*/iris',
    ),
    'another image_suffix': (
        'seg', None, dict(img_suffix='.tif'), "names end in '.tif' in .*images/training', found n",
    ),
    'an empty list of names': (
        'seg', lambda r: (r / 'names.txt').touch(), dict(ann_file='names.txt'),
        'names of images in .*names.txt.*found an empty file',
    ),
    'truncated JSON': (
        'det', lambda r: cut(r / TRAIN_JSON), {}, 'complete JSON in .*2017.json.*found it cut off',
    ),
    'no categories': (
        'det', lambda r: edit_json(r, lambda c: c.pop('categories')), {},
        "list 'categories' in .*, found none",
    ),
    'unknown images': (
        'det', lambda r: edit_json(r, lambda c: c['images'].pop()), {},
        r"2017.json: Expected the image_id .*, found 1 annotations .* id 8",
    ),
    'other classes': (
        'det', None, dict(metainfo=dict(classes=('person', 'car'))),
        r'Expected the 2 classes of .*metainfo.* .*\(person, bicycle\), found 1 that are not: car',
    ),
    'classes not set': (
        'det', None, dict(metainfo=None), 'Expected the 80 classes .*, found 78 that are not: car',
    ),
}  # fmt: skip


def whole_config(task: str, root: Path, changes: dict, split: str = 'train') -> Config:
    _, make, scope = TASKS[task]
    inner = make(root, **changes)
    wrapped = dict(type='RepeatDataset', times=2, dataset=inner)
    return Config({f'{split}_dataloader': dict(dataset=wrapped), 'default_scope': scope})


@pytest.mark.parametrize('task', TASKS)
def test_good_paths(task, tmp_path):
    check_config_paths(whole_config(task, TASKS[task][0](tmp_path / 'data'), {}))


@pytest.mark.parametrize('case', CONFIGS)
def test_a_bad_config(case, tmp_path):
    task, damage, changes, expected = CONFIGS[case]
    root = TASKS[task][0](tmp_path / 'data')
    if damage:
        damage(root)
    with pytest.raises(ValueError) as caught:
        check_config_paths(whole_config(task, root, changes))
    assert_one_sentence(caught.value, expected)


def test_only_the_splits_in_use_are_checked(tmp_path):
    cfg = whole_config('det', tmp_path / 'none', {}, split='test')
    check_config_paths(cfg)
    with pytest.raises(ValueError, match='test_dataloader.dataset.dataset.data_root'):
        check_config_paths(cfg, ['test'])


def test_an_unlabelled_test_set_may_be(tmp_path):
    root = write_coco(tmp_path / 'data')
    edit_json(root, lambda content: content.pop('annotations'))
    check_config_paths(whole_config('det', root, {}, split='test'), ['test'])
    check_dataset(BUILDERS['det'].build(det_config(root, test_mode=True)), detector(), 'test')
    with pytest.raises(ValueError, match="list 'annotations'"):
        check_config_paths(whole_config('det', root, {}))


def test_an_evaluator_without_its_file():
    cfg = Config({'val_evaluator': [dict(type='CocoMetric', ann_file='none.json')]})
    with pytest.raises(ValueError) as caught:
        check_config_paths(cfg)
    assert_one_sentence(caught.value, "val_evaluator.ann_file says, found none at 'none.json'")


def test_remote_data_and_unknown_data_sets_are_left_alone():
    remote = det_config(Path('none'), backend_args=dict(backend='petrel'))
    for inner in (remote, dict(type='CIFAR10', data_root='none'), dict(type='UnlabelledImages')):
        scope = 'mmdet' if inner is remote else 'mmpretrain'
        check_config_paths(
            Config({'train_dataloader': dict(dataset=inner), 'default_scope': scope})
        )


# What built data sets hold -----------------------------------------------------------------------

NO_CLASSES = dict(type='BaseSegDataset', metainfo=None)

# Task, what is done to the folder, what is changed in the config, the model, the sentence.
HELD = {
    'classes above the head': (
        'image', lambda r: write_images(r / 'tulip', 2), {}, classifier(2),
        r'2 classes in the train data set, as head.num_.*, found 3 in .*: iris, rose, tulip',
    ),
    'labels above the head': (
        'image', lambda r: (r / 'list.txt').write_text('iris/000.png 2\n'),
        dict(ann_file='list.txt'), classifier(2),
        r"labels 0 to 1 in the train data set, as head.num_classes is 2, found 2 for .*iris/000",
    ),
    'a negative label': (
        'image', lambda r: (r / 'list.txt').write_text('iris/000.png -1\n'),
        dict(ann_file='list.txt'), classifier(2), 'labels 0 to 1 .*, found -1 for .*iris/000.png',
    ),
    'a list of missing images': (
        'image', lambda r: (r / 'list.txt').write_text('iris/000.png 0\niris/9.png 1\n'),
        dict(ann_file='list.txt'), classifier(2),
        'every image that .*list.txt. names .*, found 1 of 2 missing: .*iris/9.png',
    ),
    'no labels': (
        'image', None, dict(with_label=False), classifier(2),
        'a label for every image .*, found 6 without',
    ),
    'no label map': (
        'seg', lambda r: (r / 'annotations/training/3.png').unlink(), {}, segmentor(),
        'every label map that the folder of images names .*, found 1 of 8 missing: .*3.png',
    ),
    'a list of missing pictures': (
        'seg', lambda r: (r / 'names.txt').write_text('0\n77\n'), dict(ann_file='names.txt'),
        segmentor(), 'every image that .*names.txt. names .*, found 1 of 2 missing: .*77.jpg',
    ),
    'a label above the classes': (
        'seg', lambda r: labels(r, 200), {}, segmentor(),
        r'labels 0 to 2, or 255 .*, found 199 \(200 in the file.*\) in .*0.png',
    ),
    'the background as a class': (
        'seg', lambda r: labels(r, 3), NO_CLASSES, segmentor(),
        'labels 0 to 2, or 255 .*, found 3 in .*0.png.*reduce_zero_label=True',
    ),
    '16-bit labels': (
        'seg', lambda r: labels(r, 1000, np.uint16), NO_CLASSES, segmentor(), 'found 1000 in',
    ),
    'colours as labels': (
        'seg', lambda r: labels(r, (1, 2, 3), channels=(3,)), {}, segmentor(),
        r'one channel of labels, found colours \(RGB\) in .*0.png',
    ),
    'a truncated label map': (
        'seg', lambda r: cut(r / 'annotations/training/0.png'), {}, segmentor(),
        'an image with labels, found .*0.png. that cannot be decoded',
    ),
    'another number of seg classes': (
        'seg', None, {}, segmentor(150),
        '150 classes in the train data set, as decode_head.num_classes says, found 3 in its meta',
    ),
    'missing images': (
        'det', lambda r: (r / f'train2017/{5:012}.jpg').unlink(), {}, detector(),
        r'every image that .*2017.json. names .*, found 1 of 8 missing: .*05.jpg',
    ),
    'no segmentation': (
        'det', lambda r: edit_json(r, without_segmentation), {}, detector(),
        'a segmentation for every instance .*, found instances without in 1 images .*02.jpg',
    ),
    'another number of det classes': (
        'det', None, {}, detector(80),
        '80 classes in the train .*, as roi_head.bbox_head.0.num_classes says, found 2 in its',
    ),
    'no instance of the classes': (
        'det', None, dict(metainfo=dict(classes=('ox', 'cow'))), detector(),
        'instances of the classes ox, cow in the train data set, found none in the 8 images',
    ),
}  # fmt: skip


@pytest.mark.parametrize('case', HELD)
def test_bad_data(case, tmp_path):
    task, damage, changes, model, expected = HELD[case]
    write, make, _ = TASKS[task]
    root = write(tmp_path / 'data')
    if damage:
        damage(root)
    dataset = RepeatDataset(BUILDERS[task].build(make(root, **changes)), times=2)
    with pytest.raises(ValueError) as caught:
        check_dataset(dataset, model, 'train')
    assert_one_sentence(caught.value, expected)


def test_a_hidden_folder_is_none_of_the_named_classes(tmp_path):
    for name in ('cat', 'dog', '.ipynb_checkpoints'):
        write_images(tmp_path / 'train' / name, 1)
    dataset = dict(type='ImageFolders', data_root=str(tmp_path), split='train')
    loader = dict(dataset=dict(dataset, classes=['cat', 'dog']))
    cfg = Config(dict(default_scope='mmpretrain', train_dataloader=loader))
    check_config_paths(cfg, ['train'])
    cfg.train_dataloader.dataset.classes = ['cat', 'dog', 'emu']
    with pytest.raises(ValueError, match='each of the 3 classes .* found 2 in'):
        check_config_paths(cfg, ['train'])
