"""Drawn pictures in the layouts of ADE20K and COCO, read back by other people's readers."""

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from bootmae_mm.data.synthetic.dense_layout import (
    label_map,
    run_lengths,
    split_scene,
    write_dense_layouts,
)
from bootmae_mm.data.synthetic.shapes import CLASSES

SIZE, SHAPES = 32, (2, 4)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp('dense') / 'shapes'
    write_dense_layouts(root, num_train=6, num_val=3, size=SIZE, seed=5, num_shapes=SHAPES)
    return root


def scene(split: str, index: int):
    return split_scene(5, split, index, SIZE, SHAPES)


@pytest.mark.parametrize(
    'split, ade, coco, count',
    [('train', 'training', 'train2017', 6), ('val', 'validation', 'val2017', 3)],
)
def test_pictures_and_label_maps(root, split, ade, coco, count):
    for folder in (f'ade/images/{ade}', f'ade/annotations/{ade}', f'coco/{coco}'):
        assert len(list((root / folder).iterdir())) == count
    for index in range(count):
        name, expected = f'{index:06d}.png', scene(split, index)
        for folder in (f'ade/images/{ade}', f'coco/{coco}'):
            assert np.array_equal(np.asarray(Image.open(root / folder / name)), expected.image)
        labels = np.asarray(Image.open(root / f'ade/annotations/{ade}' / name))
        assert np.array_equal(labels, label_map(expected))


def test_labels_are_one_more_than_the_class_of_the_shape():
    drawn = scene('train', 0)
    labels = label_map(drawn)
    for y in range(SIZE):
        for x in range(SIZE):
            there = [1 + shape.class_id for shape in drawn.shapes if shape.mask[y, x]]
            assert labels[y, x] == (there[0] if there else 0)


def test_instances_as_pycocotools_reads_them(root):
    coco = COCO(root / 'coco/annotations/instances_train2017.json')
    assert [cat['name'] for cat in coco.loadCats(coco.getCatIds())] == list(CLASSES)
    for index in range(6):
        drawn = scene('train', index)
        found = coco.loadAnns(coco.getAnnIds(imgIds=index))
        assert len(found) == len(drawn.shapes)
        for annotation, shape in zip(found, drawn.shapes, strict=True):
            assert np.array_equal(coco.annToMask(annotation).astype(bool), shape.mask)
            assert annotation['category_id'] == 1 + shape.class_id
            assert annotation['area'] == shape.mask.sum()
            left, top, width, height = annotation['bbox']
            box = np.zeros_like(shape.mask)
            box[top : top + height, left : left + width] = True
            assert not (shape.mask & ~box).any()
            for edge in (box[:, left], box[:, left + width - 1], box[top], box[top + height - 1]):
                assert edge.any()
            assert shape.mask[:, left].any() and shape.mask[:, left + width - 1].any()
            assert shape.mask[top].any() and shape.mask[top + height - 1].any()


@pytest.mark.parametrize('mask', [[[0, 1], [1, 1]], [[1, 0], [0, 0]], [[1, 1], [1, 1]]])
def test_run_lengths_of_small_masks(mask):
    """Against a loop over the pixels, column by column."""
    counts, value = [0], 0
    for pixel in np.array(mask).T.ravel():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    assert run_lengths(np.array(mask, bool)) == dict(size=[2, 2], counts=counts)


def test_splits_differ_and_numbers_of_shapes_vary():
    assert not np.array_equal(scene('train', 0).image, scene('val', 0).image)
    counts = {len(scene('train', index).shapes) for index in range(30)}
    assert counts == {2, 3, 4}


def test_classes_can_be_chosen_and_style_reaches_the_pictures(tmp_path):
    chosen = dict(classes=('disc', 'bar'), size_range=(0.5, 0.5))
    write_dense_layouts(tmp_path / 'a', 8, 1, size=SIZE, seed=0, num_shapes=(1, 1), **chosen)
    content = json.loads((tmp_path / 'a/coco/annotations/instances_train2017.json').read_text())
    ids = {annotation['category_id'] for annotation in content['annotations']}
    assert ids == {1, 2}
    assert [one['name'] for one in content['categories']] == ['disc', 'bar']
    assert (tmp_path / 'a/ade/classes.txt').read_text().split() == ['background', 'disc', 'bar']
    for annotation in content['annotations']:
        labels = Image.open(
            tmp_path / f'a/ade/annotations/training/{annotation["image_id"]:06d}.png'
        )
        drawn = split_scene(0, 'train', annotation['image_id'], SIZE, (1, 1), **chosen).shapes[0]
        number = 1 + chosen['classes'].index(CLASSES[drawn.class_id])
        assert annotation['category_id'] == number == np.asarray(labels).max()
    areas = [annotation['area'] for annotation in content['annotations']]
    assert np.mean(areas) == pytest.approx(np.pi / 4 * (SIZE / 2) ** 2, rel=0.1)


def test_written_once_and_refused_with_other_parameters(root):
    before = (root / 'coco/annotations/instances_val2017.json').stat().st_mtime_ns
    write_dense_layouts(root, num_train=6, num_val=3, size=SIZE, seed=5, num_shapes=SHAPES)
    assert (root / 'coco/annotations/instances_val2017.json').stat().st_mtime_ns == before
    with pytest.raises(ValueError, match='seed is 5, asked for is 6'):
        write_dense_layouts(root, num_train=6, num_val=3, size=SIZE, seed=6, num_shapes=SHAPES)
