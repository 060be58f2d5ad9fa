"""Folders of data sets: sound ones pass, every damage is named, and the tool's exit status."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bootmae_mm.data.files import list_images, some
from bootmae_mm.preflight.data import ade20k, coco, imagenet, pictures
from bootmae_mm.preflight.data.files import evenly_spaced, missing_files
from tests.helpers.data_cases import TRAIN_JSON, cut, edit_json
from tests.helpers.dense_data import write_ade20k, write_coco
from tests.helpers.images import write_images
from tests.helpers.paths import ROOT


def write_imagenet(root: Path) -> Path:
    """Two classes, three images each in train and val."""
    for split in ('train', 'val'):
        for index, name in enumerate(('cat', 'dog')):
            write_images(root / split / name, 3, seed=index)
    return root


def edit_annotations(**values):
    """Set keys of all annotations; ``None`` removes one."""

    def change(content):
        for annotation in content['annotations']:
            annotation.update(values)
            for name in [name for name, value in values.items() if value is None]:
                del annotation[name]

    return lambda root: edit_json(root, change)


def save(path: Path, array: np.ndarray) -> None:
    Image.fromarray(array).save(path)


def flatten(folder: Path) -> None:
    for path in list(folder.glob('*/*')):
        path.rename(folder / f'{path.parent.name}_{path.name}')
    for path in list(folder.iterdir()):
        if path.is_dir():
            path.rmdir()


def flatten_with_list(root: Path) -> None:
    flatten(root / 'val')
    (root / 'meta').mkdir()
    (root / 'meta/val.txt').write_text('cat_000.png 0\n')


def add_a_car(content: dict) -> None:
    content['categories'].append(dict(id=3, name='car'))
    content['annotations'][0]['category_id'] = 3


def tar_archives(root: Path) -> None:
    shutil.rmtree(root / 'train')
    (root / 'train').mkdir()
    (root / 'train/n01440764.tar').touch()


def into_subfolder(root: Path, name: str) -> None:
    inner = root / name
    inner.mkdir(parents=True)
    for path in list(root.iterdir()):
        if path.name != Path(name).parts[0]:
            path.rename(inner / path.name)


IMAGENET = {
    'no folder': (shutil.rmtree, "folder, found none at '"),
    'no val': (lambda r: shutil.rmtree(r / 'val'), "folder 'val' in .*, found none"),
    'one level down': (
        lambda r: into_subfolder(r, 'ILSVRC/Data/CLS-LOC'),
        "one level further down: take .*/ILSVRC/Data/CLS-LOC'",
    ),
    'flat val': (
        lambda r: flatten(r / 'val'),
        r'val: expected class folders, found none but 6 loose images; move each .*val/<class>/',
    ),
    'archives': (tar_archives, r'found 1 archives \(n01440764.tar\); unpack'),
    'a class too many': (
        lambda r: write_images(r / 'train/ox', 1),
        r'train: expected 2 class folders, found 3 \(cat, dog, ox\)',
    ),
    'other classes in val': (
        lambda r: (r / 'val/dog').rename(r / 'val/ox'),
        'same class folders in train and val.*found only in one of them: dog, ox',
    ),
    'truncated image': (
        lambda r: cut(r / 'val/cat/000.png'),
        'val: 1 of 6 sampled images cannot be decoded: .*000.png',
    ),
}
ADE20K = {
    'one level down': (
        lambda r: into_subfolder(r, 'ADEChallengeData2016'),
        "take .*ADEChallengeData2016'",
    ),
    'no annotations': (
        lambda r: shutil.rmtree(r / 'annotations/validation'),
        "folder 'annotations/validation'",
    ),
    'no images': (
        lambda r: [path.unlink() for path in (r / 'images/training').iterdir()],
        'training: expected images in images/training, found none',
    ),
    'no label map': (
        lambda r: (r / 'annotations/validation/3.png').unlink(),
        'for every image, found none for 1: .*3.jpg',
    ),
    'two pictures of one name': (
        lambda r: shutil.copy(r / 'images/training/3.jpg', r / 'images/training/3.JPEG'),
        "training: Expected one file called '3' in .*, found 3.JPEG and 3.jpg",
    ),
    'label too large': (
        lambda r: save(r / 'annotations/training/0.png', np.full((70, 90), 4, np.uint8)),
        r'1 of 8 .*labels 0 to 2, or 255 .*, found 3 \(4 in the file.*0.png',
    ),
    'colours': (
        lambda r: save(r / 'annotations/training/0.png', np.full((70, 90, 3), (1, 2, 3), np.uint8)),
        r'found colours \(RGB\) in .*0.png',
    ),
    '16 bits': (
        lambda r: save(r / 'annotations/training/0.png', np.full((70, 90), 300, np.uint16)),
        r'found 299 \(300 in the file.*0.png',
    ),
    'another size': (
        lambda r: save(r / 'annotations/training/0.png', np.ones((90, 70), np.uint8)),
        'label map of 90 × 70 pixels for .*, found 70 × 90 in .*0.png',
    ),
    'truncated label map': (
        lambda r: cut(r / 'annotations/validation/0.png'),
        'validation: 1 of 8 .*0.png. that cannot be decoded',
    ),
}
COCO = {
    'no annotation file': (lambda r: (r / TRAIN_JSON).unlink(), 'train2017.json.*no such file'),
    'truncated JSON': (lambda r: cut(r / TRAIN_JSON), 'complete JSON in .*, found it cut off'),
    'a list': (lambda r: (r / TRAIN_JSON).write_text('[1]'), "'images' in .*, found none in list"),
    'no categories': (
        lambda r: edit_json(r, lambda c: c.pop('categories')),
        r"list 'categories' in .*, found none in \['annotations', 'images'\]",
    ),
    'no annotation': (
        lambda r: edit_json(r, lambda c: c['annotations'].clear()),
        "list 'annotations' in .*, found an empty one",
    ),
    'neither box nor mask': (
        edit_annotations(bbox=None, segmentation=None),
        'a bbox or a segmentation in every annotation .*, found annotation 1 without',
    ),
    'boxes as shares': (
        edit_annotations(bbox=[0.1, 0.2, 0.5, 0.5]),
        'in pixels, found all 8 within 0 and 1, as shares',
    ),
    'polygons as shares': (
        edit_annotations(segmentation=[[0.1, 0.2, 0.5, 0.5, 0.3, 0.1]]),
        'polygons in pixels, found 8 within 0 and 1 .*: id 1, 2, 3',
    ),
    'run lengths of another size': (
        edit_annotations(segmentation=dict(size=[2, 2], counts=[0, 4])),
        'the size .height, width. of the image, found 8 of another: id 1, 2, 3',
    ),
    'a name twice': (
        lambda r: edit_json(r, lambda c: c['categories'].append(dict(id=3, name='person'))),
        'every name of a category once, found repeated: person',
    ),
    'repeated ids': (edit_annotations(id=5), "every id in 'annotations' once, found repeated: 5"),
    'unknown image': (
        edit_annotations(image_id=99),
        "image_id of every annotation in 'images', found 8 annotations with an unknown one",
    ),
    'unknown category': (
        edit_annotations(category_id=99),
        "category_id of every annotation in 'categories', found 8",
    ),
    'corners as boxes': (
        edit_annotations(bbox=[40, 40, 60, 60]),
        'inside their images, found 8 of 8 that reach out: .*left, top, right, bottom',
    ),
    'half a box': (edit_annotations(bbox=[1, 2]), r'numbers \[x, y, width, height\] as bbox'),
    'missing images': (
        lambda r: [(r / f'train2017/{i:012}.jpg').unlink() for i in (0, 5)],
        r'found 2 of 8 missing: .*0000.jpg, .*0005.jpg',
    ),
    'another size': (
        lambda r: save(r / f'train2017/{0:012}.jpg', np.zeros((20, 30, 3), np.uint8)),
        r'1 of 8 sampled images are wrong: .* 30 × 20 pixels but annotated as 90 × 70',
    ),
    'another number of categories': (
        lambda r: edit_json(r, add_a_car),
        r'train2017: expected 2 categories, found 3 \(person, bicycle, car\)',
    ),
}
KINDS = {
    'imagenet': (imagenet, write_imagenet, 2, IMAGENET),
    'ade20k': (ade20k, write_ade20k, 3, ADE20K),
    'coco': (coco, write_coco, 2, COCO),
}


def sentences(module, root: Path, num_classes: int, level: str) -> list[str]:
    findings = list(module.check(root, num_classes=num_classes))
    assert all('\n' not in finding.sentence for finding in findings)
    return [finding.sentence for finding in findings if finding.level == level]


@pytest.mark.parametrize('kind', KINDS)
def test_a_sound_folder_has_no_findings(kind, tmp_path):
    module, write, num_classes, _ = KINDS[kind]
    root = write(tmp_path / 'data')
    assert {finding.level for finding in module.check(root, num_classes)} == {'ok'}


@pytest.mark.parametrize('kind, case', [(kind, case) for kind in KINDS for case in KINDS[kind][3]])
def test_damage_is_named(kind, case, tmp_path):
    module, write, num_classes, cases = KINDS[kind]
    damage, expected = cases[case]
    root = write(tmp_path / 'data')
    damage(root)
    errors = sentences(module, root, num_classes, 'error')
    assert any(re.search(expected, error) for error in errors), errors
    assert len(errors) <= 2


@pytest.mark.parametrize('kind', KINDS)
def test_a_part_of_the_data_set_is_a_warning(kind, tmp_path, monkeypatch):
    module, write, num_classes, _ = KINDS[kind]
    monkeypatch.setattr(module, 'NUM_CLASSES', num_classes)
    root = write(tmp_path / 'data')
    assert not sentences(module, root, num_classes, 'error')
    train, val = sentences(module, root, num_classes, 'warning')
    numbers = {'imagenet': ('1,281,167', '50,000'), 'ade20k': ('20,210', '2,000')}
    expected = numbers.get(kind, ('118,287', '5,000'))
    assert f'expected {expected[0]} images' in train and f'expected {expected[1]} images' in val


@pytest.mark.parametrize(('bad', 'level'), [(10, 'warning'), (11, 'error')])
def test_few_unreadable_images_are_left_out_of_training(bad, level, tmp_path):
    root = write_imagenet(tmp_path / 'data')
    write_images(root / 'train/dog', 12)
    for path in sorted((root / 'train/dog').iterdir())[:bad]:
        cut(path)
    (finding,) = (f for f in imagenet.check(root, sample=99) if 'cannot be decoded' in f.sentence)
    assert finding.level == level
    assert finding.sentence.startswith(f'train: {bad} of 15 sampled images')
    assert ('training leaves them out' in finding.sentence) == (level == 'warning')


def test_what_may_be_meant_is_a_warning(tmp_path):
    root = write_imagenet(tmp_path / 'imagenet')
    flatten_with_list(root)
    assert not sentences(imagenet, root, 2, 'error')
    assert "split='val' reads them" in sentences(imagenet, root, 2, 'warning')[0]
    root = write_coco(tmp_path / 'coco')
    edit_json(root, lambda c: c['annotations'][0].update(bbox=[1, 2, 3, 0]))
    assert not sentences(coco, root, 2, 'error')
    assert re.search('wide or high are left out: 1 .id 1.', sentences(coco, root, 2, 'warning')[0])


def test_a_box_may_reach_out_by_a_pixel(tmp_path):
    root = write_coco(tmp_path / 'coco')  # the first image is 90 pixels wide
    edit_json(root, lambda c: c['annotations'][0].update(bbox=[-1, 0, 92, 10]))
    assert not sentences(coco, root, 2, 'error')
    edit_json(root, lambda c: c['annotations'][0].update(bbox=[-1, 0, 92.1, 10]))
    assert 'found 1 of 8' in sentences(coco, root, 2, 'warning')[0]


def test_a_set_of_ones_own_is_taken_as_it_is(tmp_path):
    """No number of classes is expected but that of the data."""
    for module, write in ((coco, write_coco), (imagenet, write_imagenet)):
        root = write(tmp_path / module.__name__)
        assert {finding.level for finding in module.check(root)} == {'ok'}
    edit_json(tmp_path / coco.__name__, add_a_car)
    assert 'only in one of them: car' in sentences(coco, tmp_path / coco.__name__, None, 'error')[0]
    for split in ('train', 'val'):
        for name in ('cat', 'dog'):
            (root / split / name).rename(root / split / f'n0000000{len(name) + (name == "dog")}')
    assert (
        "ImageNet's 1,000 class folders, found 2" in sentences(imagenet, root, None, 'warning')[0]
    )
    assert not sentences(imagenet, root, None, 'error')


def test_a_category_without_instances_need_not_be_a_class(tmp_path):
    """As Roboflow writes one for all of them."""
    root = write_coco(tmp_path)
    for name in (TRAIN_JSON, TRAIN_JSON.replace('train', 'val')):
        content = json.loads((root / name).read_text())
        content['categories'].insert(0, dict(id=0, name='things'))
        (root / name).write_text(json.dumps(content))
    assert not sentences(coco, root, 2, 'error')
    assert '1 of 3 categories have no annotation: things' in sentences(coco, root, 2, 'warning')[0]


@pytest.mark.parametrize(
    ('with_mask', 'level'), [(True, 'error'), (None, 'warning'), (False, None)]
)
def test_masks_are_missed_where_there_is_a_head_for_them(with_mask, level, tmp_path):
    root = write_coco(tmp_path)
    edit_annotations(segmentation=None)(root)
    findings = [f for f in coco.check(root, with_mask=with_mask) if 'segmentation' in f.sentence]
    assert [finding.level for finding in findings] == ([level] if level else [])
    assert all('found 8 of 8 without: id 1, 2, 3 and 5' in f.sentence for f in findings)


def test_polygons_that_a_mask_head_ignores(tmp_path):
    root = write_coco(tmp_path)
    edit_json(root, lambda c: c['annotations'][4].update(segmentation=[[1, 2, 3, 4], [5, 6]]))
    assert '1 annotations have polygons' in sentences(coco, root, 2, 'warning')[0]


def test_annotations_are_of_the_upright_picture(tmp_path):
    root = write_coco(tmp_path)
    path, exif = root / f'train2017/{0:012}.jpg', Image.Exif()
    exif[0x112] = 6
    stored = Image.open(path)
    stored.save(path, exif=exif)
    (error,) = sentences(coco, root, 2, 'error')
    assert '70 × 90 pixels upright, as EXIF asks, but annotated as 90 × 70' in error
    stored.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    assert not sentences(coco, root, 2, 'error')


def test_a_folder_of_pictures(tmp_path):
    write_images(tmp_path / 'a/b', 3)
    (tmp_path / 'notes.txt').touch()
    levels = [finding.level for finding in pictures.check(tmp_path)]
    assert levels == ['ok', 'warning', 'ok']
    assert [finding.level for finding in pictures.check(tmp_path / 'none')] == ['error']
    (tmp_path / 'empty').mkdir()
    (finding,) = pictures.check(tmp_path / 'empty')
    assert 'found none among 0 files' in finding.sentence


def test_what_training_leaves_out_of_class_folders_is_a_warning(tmp_path):
    root = write_imagenet(tmp_path / 'data')
    write_images(root / 'train', 1)
    for path in (root / 'val/dog').iterdir():
        path.unlink()
    assert not sentences(imagenet, root, 2, 'error')
    loose, empty = sentences(imagenet, root, 2, 'warning')
    assert 'found 1 beside them, which are left out: 000.png' in loose
    assert empty == 'val: no image in 1 class folders: dog.'


def test_pictures_are_read_as_in_training(tmp_path):
    values = np.random.default_rng(0).integers(0, 4096, (8, 8)).astype(np.uint16)
    for name, scale in (('dark', 1), ('bright', 16)):
        (tmp_path / name).mkdir()
        Image.fromarray(values * scale).save(tmp_path / name / 'a.png')
    assert [finding.level for finding in pictures.check(tmp_path / 'bright')] == ['ok', 'ok']
    found = list(pictures.check(tmp_path / 'dark'))
    assert [finding.level for finding in found] == ['ok', 'warning', 'ok']
    assert '1 of 1 sampled images have 16 bits, and no value above 4095' in found[1].sentence


def test_listing_follows_links_once_and_leaves_out_hidden_files(tmp_path):
    hidden = ['.git/', '.hidden.png', '__MACOSX/', 'b/._x.JPG', 'b/Thumbs.db']
    names = ['b/x.JPG', 'a.png', '.git/y.png', '__MACOSX/._x.JPG', 'b/notes.md']
    for name in [*names, *(name for name in hidden if not name.endswith('/'))]:
        path = tmp_path / 'data' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / 'data/b/loop').symlink_to(tmp_path / 'data')
    found = list_images(tmp_path / 'data', ('.jpg', '.png'))
    assert found == (['a.png', 'b/x.JPG'], ['b/notes.md'], hidden, [])
    sentences = list(found.left_out())
    assert sentences[0].startswith('1 files that are not images') and len(sentences) == 2
    assert sentences[1].startswith('5 files and folders that are hidden')
    there, gone = str(tmp_path / 'data/a.png'), str(tmp_path / 'none/a.png')
    assert missing_files([gone, there, there + 'x']) == [gone, there + 'x']


def test_samples_are_evenly_spaced():
    assert evenly_spaced(range(10), 4) == [0, 2, 5, 7]
    assert evenly_spaced(range(3), 20) == [0, 1, 2]
    assert some(range(1005)) == '0, 1, 2 and 1,002 more'


def run_tool(*args) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / 'tools/check_data.py'), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_tool(tmp_path):
    root = write_imagenet(tmp_path / 'data')
    done = run_tool('imagenet', root, '--num-classes', 2)
    assert (done.returncode, done.stderr) == (0, '') and 'No errors' in done.stdout
    shutil.rmtree(root / 'val')
    done = run_tool('imagenet', root, '--num-classes', 2)
    assert done.returncode == 1 and imagenet.LAYOUT in done.stdout and 'Errors: 1' in done.stdout
    done = run_tool('images', root, '--num-classes', 2)
    assert done.returncode == 2 and 'expects a positive number and a labelled' in done.stderr
