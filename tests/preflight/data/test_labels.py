"""What the values of label maps mean under a config: the check of a folder and a run's agree."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bootmae_mm.data.label_maps import SegmentationFolders
from bootmae_mm.preflight.data import ade20k
from bootmae_mm.preflight.data.datasets import check_dataset
from bootmae_mm.preflight.data.labels import LabelRule, count_labels
from tests.helpers.data_cases import assert_one_sentence, segmentor

NAMES = tuple('abcdefgh')


def write(root: Path, values: list[int], number: int = 4) -> Path:
    """Maps in which every value has a row."""
    for split in ('training', 'validation'):
        for kind in ('images', 'annotations'):
            (root / kind / split).mkdir(parents=True)
        for index in range(number):
            labels = np.repeat(np.array(values, np.uint8)[:, None], 4, 1)
            Image.fromarray(labels).save(root / f'annotations/{split}/{index}.png')
            picture = np.zeros((*labels.shape, 3), np.uint8)
            Image.fromarray(picture).save(root / f'images/{split}/{index}.png')
    return root


def findings(root: Path, num_classes: int, reduce_zero_label: bool) -> list[tuple[str, str]]:
    """Level and sentence of what is wrong with the training set, of the folder's check and of a
    run's."""
    folder = [
        (f.level, f.sentence.replace('the training data set', 'the train data set'))
        for f in ade20k.check(root, num_classes, reduce_zero_label=reduce_zero_label)
        if f.level in ('error', 'warning') and 'training' in f.sentence
    ]
    dataset = SegmentationFolders(
        metainfo=dict(classes=NAMES[:num_classes]),
        data_root=str(root),
        data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'),
        reduce_zero_label=reduce_zero_label,
    )
    try:
        run = [
            (f.level, f.sentence) for f in check_dataset(dataset, segmentor(num_classes), 'train')
        ]
    except ValueError as error:
        run = [('error', str(error))]
    assert [level for level, _ in folder] == [level for level, _ in run]
    return run


# Values of the maps, classes, reduce_zero_label; level and sentence.
CASES = {
    'masks of 0 and 255': (
        [0, 255], 2, False, 'error',
        r'found the labels 0 \(50.0%\), 255 \(50.0%\) in 4 label maps; where reduce_zero_label is '
        r'False, 0 is class 0 \(a\), 255 is no label, and with one class alone .*; write 1 for the '
        'object instead of 255',
    ),
    'masks of 0 and 255, 0 for no label': (
        [0, 255], 2, True, 'error',
        '0 and 255 are no label, so that there is nothing to learn .*; write 1 for the background',
    ),
    'no label at all': ([255], 2, False, 'error', '255 is no label, so that there is nothing'),
    'one class of two': (
        [1, 1, 255], 2, True, 'error', r'1 is class 0 \(a\), 255 .* one class alone',
    ),
    'labels from 0 read as from 1': (
        [0, 1, 2, 3], 4, True, 'warning',
        r'none of class 3 \(d\), but the labels 0 \(25.0%\).* 0 is no label; .*set '
        'reduce_zero_label=False in all data sets if 0 is a class',
    ),
    'a class that never occurs': (
        [1, 2, 4, 255], 4, True, 'warning',
        r'none of class 2 \(c\), but .*write the classes as 1 to 4',
    ),
    'labels from 1 read as from 0': (
        [1, 2, 3], 3, False, 'error', 'labels 0 to 2, .*, found 3 .*set reduce_zero_label=True',
    ),
    'all is well': ([0, 1, 2, 255], 2, True, None, ''),
    'all is well from 0': ([0, 1, 255], 2, False, None, ''),
}  # fmt: skip


@pytest.mark.parametrize('case', CASES)
def test_labels_and_what_they_mean(case, tmp_path):
    values, num_classes, reduce_zero_label, level, expected = CASES[case]
    found = findings(write(tmp_path, values), num_classes, reduce_zero_label)
    if level is None:
        assert found == []
        return
    [(found_level, sentence)] = found
    assert found_level == level
    assert_one_sentence(ValueError(sentence), expected)


def test_one_class_alone_cannot_be_learned(tmp_path):
    root = write(tmp_path, [0, 1])
    dataset = SegmentationFolders(
        metainfo=dict(classes=('a',)),
        data_root=str(root),
        data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'),
    )
    with pytest.raises(ValueError) as caught:
        check_dataset(dataset, segmentor(1), 'train')
    assert_one_sentence(
        caught.value, 'at least 2 classes .*, found 1 .*make the background a class'
    )


def test_the_number_of_classes_is_the_datas_own(tmp_path):
    found = [*ade20k.check(write(tmp_path, [0, 1, 2, 3]))]
    assert {finding.level for finding in found} == {'note', 'ok'}
    assert found[0].sentence.startswith('3 classes')


def test_a_larger_sample_where_one_class_is_all(tmp_path):
    """One map of 30 has the second class, and is in no sample of 2 or 20."""
    paths = sorted(map(str, (write(tmp_path, [1], 30) / 'annotations/training').iterdir()))
    Image.fromarray(np.array([[2]], np.uint8)).save(paths[2])
    counts = count_labels(paths, LabelRule(2, True), sample=2)
    assert counts.maps == counts.total == 30 and counts.pixels == {1: 29 * 4, 2: 1}
    assert count_labels(paths[2:], LabelRule(2, True), sample=2).maps == 2
