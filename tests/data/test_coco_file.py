"""COCO's annotations by any converter: read as the sound file they stand for, or refused."""

import json
import re
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask

from bootmae_mm.data.coco_file import category_ids, instances_of, read_instances
from tests.helpers.data_cases import assert_one_sentence


def sound() -> dict:
    """Two images, a polygon, a crowd and a mask as run lengths, of two categories."""
    square = [[4, 8, 20, 8, 20, 24, 4, 24]]
    bitmap = np.zeros((32, 40), np.uint8, order='F')
    bitmap[8:24, 4:20] = 1
    encoded = mask.encode(bitmap)
    encoded['counts'] = encoded['counts'].decode()
    common = dict(bbox=[4, 8, 16, 16], area=256, iscrowd=0, segmentation=square)
    return dict(
        images=[dict(id=n, file_name=f'sub/{n}.jpg', width=40, height=32) for n in (1, 2)],
        annotations=[
            dict(common, id=1, image_id=1, category_id=1),
            dict(common, id=2, image_id=2, category_id=7, iscrowd=1),
            dict(common, id=3, image_id=2, category_id=7, segmentation=encoded),
        ],
        categories=[dict(id=1, name='cat'), dict(id=7, name='dog')],
    )


def write(content: object, path: Path, encoding: str = 'utf-8') -> Path:
    path.write_text(json.dumps(content), encoding=encoding)
    return path


def set_all(part: str, **values):
    """Values of keys; a function gets the entry; None removes the key."""

    def edit(content: dict) -> None:
        for entry in content[part]:
            for key, value in values.items():
                entry[key] = value(entry) if callable(value) else value
                if value is None:
                    del entry[key]

    return edit


def text(*keys: str):
    """Numbers as text, as in a CSV file."""

    def edit(content: dict) -> None:
        for part in ('images', 'annotations', 'categories'):
            for entry in content[part]:
                entry.update({key: str(entry[key]) for key in keys if key in entry})

    return edit


def named_ids(content: dict) -> None:
    set_all('images', id=lambda entry: f'img_{entry["id"]}')(content)
    set_all('annotations', image_id=lambda entry: f'img_{entry["image_id"]}')(content)


UNDERSTOOD = {
    'ids of digits': (text('id', 'image_id', 'category_id'), 'ids of images are read as'),
    'references of digits': (text('category_id'), 'category_id of annotations is read as'),
    'ids of text': (named_ids, r'images that are text are numbered .* 2 \(id img_1, img_2\)'),
    'ids as floats': (
        set_all('annotations', image_id=lambda entry: float(entry['image_id'])),
        'image_id of annotations is read as',
    ),
    'no ids': (set_all('annotations', id=None), 'annotations are numbered anew.*: 3'),
    'ids from 0': (
        set_all('annotations', id=lambda entry: entry['id'] - 1),
        r'numbered anew.*: 3 \(id 0, 1, 2\)',
    ),
    'backslashes': (
        set_all('images', file_name=lambda entry: entry['file_name'].replace('/', '\\')),
        'backslashes .* 2',
    ),
    'sizes of text': (text('width', 'height'), 'sizes of images are read as'),
    'area 0': (set_all('annotations', area=0), 'areas that are missing or 0 are computed: 3'),
    'no area': (set_all('annotations', area=None), 'areas that are missing'),
    'no boxes': (set_all('annotations', bbox=None), 'boxes that are missing are .* 3'),
    'empty boxes': (set_all('annotations', bbox=lambda entry: []), 'boxes that are missing'),
    'iscrowd of text': (text('iscrowd'), None),
    'numbers of text': (
        set_all('annotations', bbox=lambda entry: list(map(str, entry['bbox']))),
        None,
    ),
}  # fmt: skip


def test_a_sound_file_stays_as_it_is(tmp_path):
    assert read_instances(write(sound(), tmp_path / 'a.json')) == (sound(), [])


@pytest.mark.parametrize('case', UNDERSTOOD)
def test_what_can_be_understood_is(case, tmp_path):
    edit, said = UNDERSTOOD[case]
    content = sound()
    edit(content)
    found, repairs = read_instances(write(content, tmp_path / 'a.json'))
    assert found == sound() and isinstance(found['annotations'][1]['iscrowd'], int)
    if said is not None:
        assert any(re.search(said, sentence) for sentence in repairs), repairs


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16'])
def test_marks_of_the_encoding_are_no_damage(encoding, tmp_path):
    content = sound()
    content['categories'][0]['name'] = 'Ångström'
    assert read_instances(write(content, tmp_path / 'a.json', encoding)) == (content, [])


def test_forms_of_segmentation(tmp_path):
    """One flat polygon, run lengths that are not compressed, several parts: the same areas and
    boxes; and without iscrowd nothing is a crowd."""
    content = sound()
    flat, runs, parts = content['annotations']
    flat['segmentation'] = flat['segmentation'][0]
    counts = [4 * 32 + 8] + [16, 16] * 15 + [16, 8 + 20 * 32]
    runs['segmentation'] = dict(size=[32, 40], counts=counts)
    parts['segmentation'] = [[4, 8, 20, 8, 20, 24, 4, 24], [30, 2, 34, 2, 34, 6]]
    set_all('annotations', bbox=None, area=None, iscrowd=None)(content)
    found, _ = read_instances(write(content, tmp_path / 'a.json'))
    assert [a['bbox'] for a in found['annotations']] == [[4, 8, 16, 16]] * 2 + [[4, 2, 30, 22]]
    assert [a['area'] for a in found['annotations']] == [256, 256, 264]
    assert [a['iscrowd'] for a in found['annotations']] == [0] * 3
    assert found['annotations'][0]['segmentation'] == [[4, 8, 20, 8, 20, 24, 4, 24]]


REFUSED = {
    'an id that is a list': (set_all('images', id=lambda entry: [1]), "id in 'images'.*'\\[1\\]'"),
    'no size': (set_all('images', width=None), "every entry of 'images'.* entry 0 without width"),
    'a size of 0': (set_all('images', width=0.5), "width of image 1 .*, found '0.5'"),
    'no name': (set_all('images', file_name=''), 'the name of a file as file_name of image 1'),
    'words in boxes': (
        set_all('annotations', bbox=['a', 1, 2, 3]),
        r'numbers \[x, y, width, height\] as bbox of annotation 1',
    ),
    'three numbers': (set_all('annotations', bbox=[1, 2, 3]), 'bbox of annotation 1'),
    'no number': (
        set_all('annotations', bbox=[float('nan'), 1, 2, 3], area=0),
        'bbox of annotation 1',
    ),
    'neither box nor mask': (
        set_all('annotations', bbox=None, segmentation=None),
        'a bbox or a segmentation .* annotation 1 without',
    ),
    'iscrowd of words': (set_all('annotations', iscrowd='no'), '0 or 1 as iscrowd of annotation 1'),
    'entries without keys': (lambda c: c['images'].append(3), r"as images\[2\] in .*, found '3'"),
    'run lengths without size': (
        set_all('annotations', segmentation=dict(counts=[1, 2]), bbox=None),
        'polygons or run lengths as segmentation of annotation 1',
    ),
    'polygons of words': (
        set_all('annotations', segmentation=[['a', 'b']], area=0),
        'polygons .* as segmentation of annotation 1',
    ),
}


@pytest.mark.parametrize('case', REFUSED)
def test_what_cannot_be_understood_is_named(case, tmp_path):
    edit, expected = REFUSED[case]
    content = sound()
    edit(content)
    with pytest.raises(ValueError) as caught:
        read_instances(write(content, tmp_path / 'a.json'))
    assert_one_sentence(caught.value, expected)
    assert str(tmp_path / 'a.json') in str(caught.value)


def test_labels_go_by_the_order_of_the_names():
    assert category_ids(sound(), ['dog', 'cat'], 'a.json') == [7, 1]
    with pytest.raises(ValueError) as caught:
        category_ids(sound(), ['cat', 'ox'], 'a.json')
    assert_one_sentence(caught.value, r"'a.json' \(cat, dog\), found 1 that are not: ox")


def test_nothing_is_left_out_in_silence():
    content = sound()
    first = content['annotations'][0]
    others = [
        dict(ignore=1),
        dict(category_id=7),
        dict(bbox=[1, 2, 0.5, 3]),
        dict(bbox=[41, 2, 5, 5]),
        dict(image_id=9),
    ]
    for number, change in enumerate(others, start=11):
        content['annotations'].append(deepcopy(first) | change | dict(id=number))
    kept, said = instances_of(content, {1})
    assert [[a['id'] for a in kept[image]] for image in (1, 2)] == [[1], []]
    assert [sentence.rpartition(': ')[2] for sentence in said] == [
        '3 (id 2, 3, 12).', '1 (id 11).', '1 (id 13).', '1 (id 14).', '1 (id 15).',
    ]  # fmt: skip
