"""The data set and metric of instances against mmdet's own, and where these go wrong."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import DATASETS, METRICS
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from bootmae_mm.data.coco import CocoInstances
from tests.helpers.data_cases import TRAIN_JSON, assert_one_sentence, cut, det_config, edit_json
from tests.helpers.dense_data import DET_CLASSES, write_coco

SWAPPED = DET_CLASSES[::-1]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """With what mmdet leaves out: a flat box, one outside, a marked one; and an empty image."""
    root = write_coco(tmp_path / 'data')
    edit_json(root, damage)
    return root


def damage(content: dict) -> None:
    first, second, third, *_ = content['annotations']
    first['iscrowd'] = 1
    second['bbox'] = [1, 2, 30, 0.5]
    third['ignore'] = 1
    content['annotations'].append({**third, 'id': 77, 'ignore': 0, 'bbox': [200, 200, 9, 9]})
    content['annotations'].pop(4)


def build(root: Path, kind: str = 'CocoInstances', **changes):
    return DATASETS.build(det_config(root, type=kind, **changes))


@pytest.mark.parametrize('settings', [{}, dict(filter_empty_gt=True, min_size=66)])
def test_sound_files_are_read_as_by_mmdet(root, settings):
    ours, theirs = (build(root, kind, filter_cfg=settings) for kind in KINDS)
    assert len(ours) == len(theirs) == (3 if settings else 8)
    for index in range(len(ours)):
        assert ours.get_data_info(index) == theirs.get_data_info(index)
        assert ours.get_cat_ids(index) == theirs.get_cat_ids(index)


KINDS = ('CocoInstances', 'CocoDataset')


def test_what_is_left_out_is_told(root, monkeypatch):
    sentences = []
    monkeypatch.setattr('bootmae_mm.data.coco.warn', sentences.append)
    build(root, filter_cfg=dict(filter_empty_gt=True, min_size=66))
    said = ' '.join(sentences)
    for expected in ('ignored are left out: 1 (id 3)', 'wide or high are left out: 1 (id 2)',
                     'outside their image are left out: 1 (id 77)',
                     '1 images without annotations and 4 smaller than 66 pixels'):  # fmt: skip
        assert expected in said


def test_labels_are_those_of_the_names_in_any_order(root):
    """mmdet counts by the file's order: its label 0 is 'person' whatever stands first."""
    names = [
        {
            info['img_id']: [data.metainfo['classes'][i['bbox_label']] for i in info['instances']]
            for info in map(data.get_data_info, range(len(data)))
        }
        for data in (build(root), build(root, metainfo=dict(classes=SWAPPED)))
    ]
    assert names[0] == names[1] and names[0][0] == ['person'] and names[0][3] == ['bicycle']


def test_a_training_without_a_picture_is_refused(root):
    with pytest.raises(ValueError) as caught:
        build(root, filter_cfg=dict(min_size=1000))
    assert_one_sentence(caught.value, 'found none but 0 images .* and 8 smaller than 1000 pixels')
    assert len(build(root, filter_cfg=dict(min_size=1000), test_mode=True)) == 8


def test_coco_s_names_and_colours_where_there_are_no_others():
    assert len(CocoInstances('a.json', lazy_init=True).metainfo['classes']) == 80
    colours = CocoInstances('a.json', metainfo=dict(classes=['cat']), lazy_init=True).metainfo
    assert len(colours['palette']) == 1
    with pytest.raises(ValueError, match="names of the classes .*, found 'cat'"):
        CocoInstances('a.json', metainfo=dict(classes='cat'), lazy_init=True)


def test_an_unreadable_picture_is_replaced_in_training_only(root):
    pipeline = [dict(type='LoadAnyImage'), dict(type='LoadAnnotations', with_bbox=True)]
    pipeline += [dict(type='PackDetInputs')]
    bad = root / f'train2017/{3:012}.jpg'
    cut(bad)
    with DefaultScope.overwrite_default_scope('mmdet'):
        train, test = (build(root, pipeline=pipeline, test_mode=mode) for mode in (False, True))
    (issue,) = train[3]['data_samples'].image_issues
    assert issue[:2] == (str(bad), 'skipped')
    with pytest.raises(ValueError) as caught:
        test[3]
    assert_one_sentence(caught.value, f'{bad.name}.* that is not')


# Evaluation --------------------------------------------------------------------------------------


def predictions(data, wrong: int) -> list[dict]:
    """The truth as predicted, the class of one picture wrong; masks are the boxes."""
    found = []
    for index in range(len(data)):
        info = data.get_data_info(index)
        instances = info['instances']
        boxes = torch.tensor([i['bbox'] for i in instances], dtype=torch.float32).reshape(-1, 4)
        labels = torch.tensor([i['bbox_label'] for i in instances], dtype=torch.long)
        masks = torch.zeros(len(instances), info['height'], info['width'], dtype=torch.bool)
        for number, (left, top, right, bottom) in enumerate(boxes.long().tolist()):
            masks[number, top:bottom, left:right] = True
        predicted = InstanceData(
            bboxes=boxes,
            labels=1 - labels if index == wrong else labels,
            scores=torch.full((len(instances),), 0.9),
            masks=masks,
        )
        found.append(
            dict(
                pred_instances=dict(predicted.items()),
                img_id=info['img_id'],
                ori_shape=(info['height'], info['width']),
            )
        )
    return found


def measure(kind: str, root: Path, classes, data) -> dict[str, float]:
    metric = METRICS.build(
        dict(type=kind, ann_file=str(root / TRAIN_JSON), metric=['bbox', 'segm'], classwise=True)
    )
    metric.dataset_meta = dict(classes=classes)
    metric.process({}, predictions(data, wrong=3))
    return metric.evaluate(len(data))


def test_the_metric_gives_mmdet_s_numbers(root):
    """On the same predictions; with the classes in another order, too."""
    expected = measure('CocoMetric', root, DET_CLASSES, build(root))
    assert 0.2 < expected['coco/bbox_mAP'] < 1 and 0.2 < expected['coco/segm_mAP'] < 1
    assert measure('CocoInstancesMetric', root, DET_CLASSES, build(root)) == expected
    swapped = build(root, metainfo=dict(classes=SWAPPED))
    assert measure('CocoInstancesMetric', root, SWAPPED, swapped) == expected


def test_the_metric_reads_what_the_data_set_reads(root):
    expected = measure('CocoInstancesMetric', root, DET_CLASSES, build(root))
    edit_json(root, as_a_converter_writes)
    assert measure('CocoInstancesMetric', root, DET_CLASSES, build(root)) == expected


def as_a_converter_writes(content: dict) -> None:
    for number, annotation in enumerate(content['annotations']):
        annotation.update(id=number, image_id=f'img {annotation["image_id"]}')
        annotation['category_id'] = str(annotation['category_id'])
        if not annotation['iscrowd']:
            del annotation['iscrowd']
    for image in content['images']:
        image['id'] = f'img {image["id"]}'
