"""What the commands see in folders of classes, label maps and annotations, and what they refuse."""

import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bootmae_mm.commands.labelled.class_folders import look_at_classes
from bootmae_mm.commands.labelled.instances import look_at_instances
from bootmae_mm.commands.labelled.label_folders import look_at_labels
from bootmae_mm.commands.pictures import look_at
from bootmae_mm.commands.shapes import choose_shape
from tests.helpers.data_cases import assert_one_sentence, edit_json, without_segmentation
from tests.helpers.dense_data import write_ade20k, write_coco
from tests.helpers.images import write_images


def refused(look, *args) -> Exception:
    with pytest.raises(ValueError) as caught:
        look(*args)
    return caught.value


# Pictures without labels -------------------------------------------------------------------------


def test_pictures_are_counted_and_measured_upright(tmp_path):
    for index, size in enumerate([(40, 30), (60, 20), (50, 90)]):
        (tmp_path / 'a').mkdir(exist_ok=True)
        Image.new('RGB', size).save(tmp_path / f'a/{index}.png')
    turned = Image.new('RGB', (10, 200))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / 'turned.jpg', exif=exif)
    (tmp_path / 'damaged.png').write_bytes(b'no picture')
    (tmp_path / 'notes.txt').touch()
    found = look_at(tmp_path)
    assert found.count == 5
    assert found.median_size == (25, 55)  # heights 30, 20, 90, 10 and widths 40, 60, 50, 200
    assert found.short_side == 25
    assert found.others == ['1 files that are not images by their name are left out: notes.txt.']


def test_a_pipe_that_is_called_like_a_picture_is_not_waited_for(tmp_path):
    Image.new('RGB', (40, 30)).save(tmp_path / 'a.png')
    os.mkfifo(tmp_path / 'b.png')
    found = []
    thread = threading.Thread(target=lambda: found.append(look_at(tmp_path)), daemon=True)
    thread.start()
    thread.join(timeout=20)
    assert found and found[0].median_size == (30, 40)


def test_no_pictures_are_told(tmp_path):
    assert_one_sentence(refused(look_at, tmp_path / 'no'), 'Expected a folder of pictures')
    (tmp_path / 'notes.txt').touch()
    assert_one_sentence(refused(look_at, tmp_path), 'found none among its 1 files')
    (tmp_path / 'damaged.png').write_bytes(b'no picture')
    assert_one_sentence(refused(look_at, tmp_path), 'that can be read')


@pytest.mark.parametrize(
    'short_side, on_gpu, size, patch, expected',
    [
        (375, True, None, None, ((224, 224), 16)),
        (375, False, None, None, ((64, 64), 8)),
        (32, True, None, None, ((64, 64), 8)),
        (375, True, (160, 320), None, ((160, 320), 16)),
        (375, True, (96, 96), None, ((96, 96), 8)),
        (375, True, None, 14, ((224, 224), 14)),
        (375, False, None, 14, ((56, 56), 14)),
    ],
)
def test_the_size_fits_pictures_and_machine(short_side, on_gpu, size, patch, expected):
    assert choose_shape(short_side, on_gpu, size, patch) == expected


def test_a_size_of_broken_patches_is_refused_with_the_nearest():
    error = refused(choose_shape, 375, True, (225, 330), 14)
    assert_one_sentence(error, 'take --size 224x336')
    assert choose_shape(375, True, (224, 336), 14).grid == (16, 24)


# Classes -----------------------------------------------------------------------------------------


def write_classes(root: Path, **counts: int) -> Path:
    for name, count in counts.items():
        write_images(root / name, count)
    return root


def test_two_folders_are_training_and_validation(tmp_path):
    write_classes(tmp_path / 'train', cat=3, dog=2)
    write_classes(tmp_path / 'valid', cat=1, dog=1)
    found = look_at_classes(tmp_path)
    assert found.names == ['cat', 'dog'] and found.lists is None
    assert found.folders == ('train', 'valid') and found.counts == (5, 2)


def test_of_one_folder_a_fifth_of_each_class_is_held_out(tmp_path):
    root = write_classes(tmp_path / 'train', cat=10, dog=5, owl=4)
    (root / 'empty').mkdir()
    found = look_at_classes(tmp_path)
    assert found.names == ['cat', 'dog', 'owl'] and found.root == root
    train, val = found.lists
    assert found.counts == (16, 3) == (len(train), len(val))
    assert sorted(line.split()[1] for line in val) == ['0', '0', '1']
    listed = sorted(line.rsplit(' ', 1)[0] for line in train + val)
    assert listed == sorted(str(path.relative_to(root)) for path in root.rglob('*.png'))
    assert look_at_classes(tmp_path) == found


def test_classes_that_are_none_are_told(tmp_path):
    assert_one_sentence(refused(look_at_classes, tmp_path / 'no'), 'Expected a folder of classes')
    assert_one_sentence(refused(look_at_classes, tmp_path), 'found no such folder')
    write_classes(tmp_path, cat=4)
    assert_one_sentence(refused(look_at_classes, tmp_path), 'found the class cat alone')
    write_classes(tmp_path, dog=4)
    assert_one_sentence(refused(look_at_classes, tmp_path), 'a class with 5 pictures')
    write_classes(tmp_path / 'train', cat=1, dog=1)
    write_classes(tmp_path / 'val', cat=1, owl=1)
    assert_one_sentence(refused(look_at_classes, tmp_path), 'found only in one: dog, owl')


# Label maps --------------------------------------------------------------------------------------


def write_scenes(root: Path, values: list[list[int]], pictures='images', maps='masks') -> Path:
    """A picture for each list of values."""
    for kind in (pictures, maps):
        (root / kind).mkdir(parents=True)
    for index, row in enumerate(values):
        labels = np.array([row] * 2, np.uint8)
        Image.new('RGB', labels.shape[::-1]).save(root / f'{pictures}/{index}.jpg')
        Image.fromarray(labels).save(root / f'{maps}/{index}.png')
    return root


def test_ade20k_s_folders_are_found(tmp_path):
    found = look_at_labels(write_ade20k(tmp_path), None)
    assert found.prefixes == (
        ('images/training', 'annotations/training'),
        ('images/validation', 'annotations/validation'),
    )
    assert found.counts == (8, 8) and found.lists is None


def test_splits_may_be_the_outer_folders(tmp_path):
    for split in ('train', 'val'):
        write_scenes(tmp_path / split, [[0, 1]], 'image', 'label')
    found = look_at_labels(tmp_path, None)
    assert found.prefixes == (('train/image', 'train/label'), ('val/image', 'val/label'))


def test_of_one_pair_of_folders_a_fifth_is_held_out(tmp_path):
    found = look_at_labels(write_scenes(tmp_path, [[0, 1]] * 10), None)
    assert found.prefixes == (('images', 'masks'),) * 2
    assert found.counts == (8, 2)
    assert sorted(found.lists[0] + found.lists[1]) == [str(number) for number in range(10)]


@pytest.mark.parametrize(
    'values, names, no_label, expected',
    [
        ([0, 1, 255], None, None, (['class 0', 'class 1'], False)),
        ([1, 2, 255], None, None, (['class 1', 'class 2'], True)),
        ([0, 1, 2], None, True, (['class 1', 'class 2'], True)),
        ([0, 1, 2], ['sky', 'land'], None, (['sky', 'land'], True)),
        ([0, 1, 2], ['none', 'sky', 'land'], None, (['none', 'sky', 'land'], False)),
        ([0, 1], ['none', 'sky', 'land'], None, (['none', 'sky', 'land'], False)),
        ([1, 2], ['sky', 'land'], None, (['sky', 'land'], True)),
    ],
)
def test_what_0_means_follows_from_values_and_names(tmp_path, values, names, no_label, expected):
    root = write_scenes(tmp_path, [values] * 5)
    if names:
        (root / 'classes.txt').write_text('\n'.join(names) + '\n\n')
    found = look_at_labels(root, no_label)
    assert (found.names, found.zero_is_no_label) == expected
    if names:
        (root / 'classes.txt').unlink()
        (root / 'classes.json').write_text(json.dumps(dict(classes=names)))
        assert look_at_labels(root, no_label) == found


def test_label_maps_that_make_no_sense_are_told(tmp_path):
    def look(name: str, *args):
        return refused(look_at_labels, tmp_path / name, *(args or [None]))

    assert_one_sentence(look('no'), 'Expected a folder of pictures and label maps')
    (tmp_path / 'empty').mkdir()
    assert_one_sentence(look('empty'), 'found nothing')
    write_scenes(tmp_path / 'few', [[0, 1]] * 4)
    assert_one_sentence(look('few'), 'found 4')
    write_scenes(tmp_path / 'black', [[0, 0]] * 5)
    assert_one_sentence(look('black'), 'found the values')
    root = write_scenes(tmp_path / 'range', [[0, 7]] * 5)
    (root / 'classes.txt').write_text('sky\nland\n')
    assert_one_sentence(look('range'), 'found 7 as the highest label')
    (root / 'classes.txt').unlink()
    (root / 'classes.json').write_text('{"0": "sky"}')
    assert_one_sentence(look('range'), 'Expected a list of names')
    root = write_scenes(tmp_path / 'apart', [[0, 1]] * 5)
    shutil.move(root / 'masks/0.png', root / 'masks/other.png')
    for index in range(1, 5):
        (root / f'masks/{index}.png').unlink()
    assert_one_sentence(look('apart'), 'with the name of each picture')


# Instances ---------------------------------------------------------------------------------------


def test_coco_s_folders_are_found(tmp_path):
    found = look_at_instances(write_coco(tmp_path))
    assert found.names == ['person', 'bicycle'] and found.masks and not found.held_out
    assert found.train.folder == tmp_path / 'train2017'
    assert found.val.file == tmp_path / 'annotations/instances_val2017.json'


def test_annotations_beside_the_pictures_are_found(tmp_path):
    write_coco(tmp_path / 'coco')
    for split, name in (('train', 'train'), ('val', 'valid')):
        shutil.copytree(tmp_path / f'coco/{split}2017', tmp_path / f'own/{name}')
        source = tmp_path / f'coco/annotations/instances_{split}2017.json'
        shutil.copy(source, tmp_path / f'own/{name}/_annotations.coco.json')
    found = look_at_instances(tmp_path / 'own')
    assert (found.train.folder, found.val.folder) == (
        tmp_path / 'own/train',
        tmp_path / 'own/valid',
    )


def test_of_one_file_a_fifth_of_the_pictures_is_held_out(tmp_path):
    write_coco(tmp_path / 'coco')
    edit_json(tmp_path / 'coco', without_segmentation)
    (tmp_path / 'own').mkdir()
    shutil.copytree(tmp_path / 'coco/train2017', tmp_path / 'own/images')
    whole = tmp_path / 'coco/annotations/instances_train2017.json'
    shutil.copy(whole, tmp_path / 'own/boxes.json')
    found = look_at_instances(tmp_path / 'own')
    assert found.held_out and not found.masks
    assert found.train.folder == tmp_path / 'own/images'
    parts = [{image['id'] for image in part.content['images']} for part in (found.train, found.val)]
    assert [len(part) for part in parts] == [7, 1] and not parts[0] & parts[1]
    for part, ids in zip((found.train, found.val), parts, strict=True):
        assert {a['image_id'] for a in part.content['annotations']} == ids
        assert part.content['categories'] == json.loads(whole.read_text())['categories']


def test_annotations_that_are_none_are_told(tmp_path):
    def look(name: str):
        return refused(look_at_instances, tmp_path / name)

    assert_one_sentence(look('no'), 'Expected a folder with annotated pictures')
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other/a.json').write_text('{"shapes": []}')
    (tmp_path / 'other/b.json').write_text('no json')
    assert_one_sentence(look('other'), 'found none')
    root = write_coco(tmp_path / 'many')
    shutil.copy(root / 'annotations/instances_val2017.json', root / 'another_val.json')
    assert_one_sentence(look('many'), 'move the others away')
    root = write_coco(tmp_path / 'lost')
    shutil.rmtree(root / 'train2017')
    assert_one_sentence(look('lost'), 'in one of the folders beside it')
