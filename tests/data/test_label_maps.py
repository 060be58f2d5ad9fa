"""Pictures and their label maps: which go together, how maps are read, and what a data set makes of
them in training and evaluation."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import METRICS
from mmseg.datasets import ADE20KDataset, BaseSegDataset
from PIL import Image

from bootmae_mm.data.label_files import learned_labels, pair_label_maps, read_label_map
from bootmae_mm.data.label_maps import ADE20K, LoadLabelMap, SegmentationFolders
from tests.helpers.data_cases import assert_one_sentence, cut
from tests.helpers.dense_data import write_ade20k

STORED = np.array([[0, 1, 2], [3, 255, 1]], np.uint8)
TRAINING = dict(img_path='images/training', seg_map_path='annotations/training')
PIPELINE = [
    dict(type='LoadAnyImage'),
    dict(type='LoadLabelMap'),
    dict(type='CheckSegLabels'),
    dict(type='mmseg.PackSegInputs'),
]


def scenes(root: Path, **settings) -> SegmentationFolders:
    settings = dict(classes=('weld', 'crack', 'rust')) | settings
    metainfo = dict(classes=settings.pop('classes'))
    return SegmentationFolders(
        metainfo=metainfo, data_root=str(root), data_prefix=TRAINING, pipeline=PIPELINE, **settings
    )


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


# Which go together -------------------------------------------------------------------------------


def test_names_without_suffix_go_together(tmp_path):
    """In folders below as well, in any case and kind of file; hidden files are none."""
    names = 'b.JPG', 'a/b.Png', 'c.webp', 'd.jpg', '._b.jpg', '__MACOSX/e.jpg', 'notes.txt'
    images = touch(tmp_path / 'images', *names)
    maps = touch(tmp_path / 'maps', 'b.png', 'a/b.PNG', 'c.tif', 'f.png', '._d.png')
    found = pair_label_maps(images, maps)
    pairs = [(Path(p).relative_to(images), Path(m).relative_to(maps)) for p, m in found.pairs]
    assert [(str(p), str(m)) for p, m in pairs] == [
        ('a/b.Png', 'a/b.PNG'), ('b.JPG', 'b.png'), ('c.webp', 'c.tif'),
    ]  # fmt: skip
    assert found.without == [str(images / 'd.jpg')] and found.spare == [str(maps / 'f.png')]
    told = ' '.join(found.told())
    assert '1 of 4 pictures have no label map' in told and '1 label maps have no picture' in told
    assert '2 files and folders that are hidden' in told and 'notes.txt' in told


def test_suffixes_and_lists_choose(tmp_path):
    folder = touch(tmp_path, 'x_left.png', 'x_labels.png', 'y_left.png', 'y_labels.png')
    found = pair_label_maps(folder, folder, '_left.png', '_labels.png')
    assert [Path(m).name for _, m in found.pairs] == ['x_labels.png', 'y_labels.png']
    found = pair_label_maps(folder, folder, '_left.png', '_labels.png', names=['y'])
    assert [Path(p).name for p, _ in found.pairs] == ['y_left.png'] and not found.told()
    with pytest.raises(ValueError, match='endings that tell .* set img_suffix and seg_map_suffix'):
        pair_label_maps(folder, folder)
    with pytest.raises(ValueError, match='the list names .*found 1 of 2 missing: z; correct'):
        pair_label_maps(folder, folder, '_left.png', '_labels.png', names=['y', 'z'])


# How maps are read -------------------------------------------------------------------------------


def palette(labels: np.ndarray) -> Image.Image:
    image = Image.fromarray(labels).convert('P')
    image.putdata(labels.ravel().tolist())
    image.putpalette([9, 8, 7] * 256)
    return image


READABLE = {
    'grey': Image.fromarray,
    'palette': palette,
    '16 bits': lambda labels: Image.fromarray(labels.astype(np.uint16)),
    '65535 as none': lambda a: Image.fromarray(np.where(a == 255, 65535, a).astype(np.uint16)),
    'RGB of one value': lambda labels: Image.fromarray(np.stack([labels] * 3, -1)),
}


@pytest.mark.parametrize('kind', READABLE)
def test_what_holds_labels_is_read(kind, tmp_path):
    READABLE[kind](STORED).save(tmp_path / 'map.png')
    assert read_label_map(tmp_path / 'map.png').tolist() == STORED.tolist()


def test_one_bit_and_turned_maps(tmp_path):
    Image.fromarray(STORED == 1).save(tmp_path / 'bits.png')
    assert read_label_map(tmp_path / 'bits.png').tolist() == (STORED == 1).tolist()
    exif = Image.Exif()
    exif[0x112] = 6
    Image.fromarray(STORED).save(tmp_path / 'turned.png', exif=exif)
    assert read_label_map(tmp_path / 'turned.png').tolist() == np.rot90(STORED, -1).tolist()


@pytest.mark.parametrize(
    'name, pixels, expected',
    [
        ('map.jpg', STORED, "as PNG, found the JPEG '.*map.jpg'"),
        ('map.png', np.stack([STORED, STORED, STORED + 1], -1), r'found colours \(RGB\)'),
        ('map.tif', STORED.astype(np.float32), 'whole numbers as labels, found F'),
    ],
)
def test_what_holds_no_labels_is_refused(name, pixels, expected, tmp_path):
    Image.fromarray(pixels).save(tmp_path / name)
    with pytest.raises(ValueError) as caught:
        read_label_map(tmp_path / name)
    assert_one_sentence(caught.value, expected)


def test_labels_are_learned_as_mmseg_has_it():
    assert learned_labels(STORED, False).tolist() == STORED.tolist()
    assert learned_labels(STORED, True).tolist() == [[255, 0, 1], [2, 255, 0]]
    assert learned_labels(STORED, True, {0: 255, 1: 0, 2: 1}).tolist() == [
        [255, 255, 0], [1, 255, 255],
    ]  # fmt: skip


@pytest.mark.parametrize('turned', [True, False])
def test_a_map_has_the_size_of_its_upright_picture(turned, tmp_path):
    exif = Image.Exif()
    if turned:
        exif[0x112] = 6
    Image.new('RGB', (3, 2)).save(tmp_path / 'picture.jpg', exif=exif)
    upright = np.rot90(STORED) if turned else STORED
    results = dict(img_path=str(tmp_path / 'picture.jpg'), ori_shape=upright.shape)
    results.update(seg_map_path=str(tmp_path / 'map.png'), reduce_zero_label=False, seg_fields=[])
    Image.fromarray(upright).save(tmp_path / 'map.png')
    assert LoadLabelMap()(dict(results))['gt_seg_map'].shape == upright.shape
    Image.fromarray(np.rot90(upright)).save(tmp_path / 'map.png')
    with pytest.raises(ValueError) as caught:
        LoadLabelMap()(dict(results))
    shown = 'which its EXIF turns upright, found 3 × 2' if turned else 'picture.jpg., found 2 × 3'
    assert_one_sentence(caught.value, shown)


# The data set ------------------------------------------------------------------------------------


@pytest.mark.parametrize('reduce_zero_label', [True, False])
@pytest.mark.parametrize('classes', [('sky', 'water', 'land'), ('weld', 'crack', 'rust')])
def test_any_names_take_the_labels_of_the_files(classes, reduce_zero_label, tmp_path):
    """Those of ADE20K are not special; the same labels as mmseg's plain data set has."""
    root = write_ade20k(tmp_path, 2)
    classes = classes if reduce_zero_label else ('none', *classes)
    data = scenes(root, classes=classes, reduce_zero_label=reduce_zero_label)
    same = BaseSegDataset(
        data_root=str(root),
        data_prefix=TRAINING,
        metainfo=dict(classes=classes),
        reduce_zero_label=reduce_zero_label,
        pipeline=[dict(type='mmseg.LoadAnnotations')],
    )
    assert data.metainfo['classes'] == classes and len(data) == len(same) == 2
    for sample, expected in zip(data, same, strict=True):
        labels = sample['data_samples'].gt_sem_seg.data[0].numpy()
        assert labels.tolist() == expected['gt_seg_map'].tolist()
        assert {*labels.flat} == ({0, 1, 2, 255} if reduce_zero_label else {0, 1, 2, 3})


def test_colours_are_distinct_and_names_needed(tmp_path):
    data = scenes(tmp_path, classes=[f'c{n}' for n in range(40)], lazy_init=True)
    assert len({*data.metainfo['palette']}) == 40
    assert all(0 <= value <= 255 for colour in data.metainfo['palette'] for value in colour)
    with pytest.raises(ValueError, match='names of the classes .*, found None; set metainfo'):
        scenes(tmp_path, classes=None, lazy_init=True)
    metainfo = dict(classes=('a', 'b'), palette=[[0, 0, 0]])
    with pytest.raises(ValueError, match='colour for each of the 2 classes, found 1'):
        SegmentationFolders(metainfo=metainfo, data_root=str(tmp_path), lazy_init=True)


def test_ade20k_has_the_names_and_colours_of_mmseg():
    data = ADE20K(data_root='none', lazy_init=True)
    for key in ('classes', 'palette'):
        assert [*map(tuple, data.metainfo[key])] == [*map(tuple, ADE20KDataset.METAINFO[key])]
    assert ADE20K(metainfo=dict(classes=('a', 'b')), lazy_init=True).metainfo['classes'] == (
        'a', 'b',
    )  # fmt: skip


def test_a_picture_without_map_is_left_out_of_training_alone(tmp_path, monkeypatch):
    root = write_ade20k(tmp_path, 3)
    (root / 'annotations/training/1.png').unlink()
    told = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'log', lambda _, text: told.append(text))
    assert len(scenes(root)) == 2
    assert any('1 of 3 pictures have no label map' in text for text in told)
    with pytest.raises(ValueError) as caught:
        scenes(root, test_mode=True)
    assert_one_sentence(caught.value, 'for every picture to evaluate on, found none for 1: .*1.jpg')
    for path in (root / 'annotations/training').iterdir():
        path.rename(path.with_stem(f'{path.stem}_mask'))
    with pytest.raises(ValueError) as caught:
        scenes(root)
    assert_one_sentence(
        caught.value, r'no such pair among 3 .*0_mask.png.*set img_suffix and seg_m'
    )
    assert len(scenes(root, seg_map_suffix='_mask.png')) == 2


@pytest.mark.parametrize('damaged', ['images/training/0.jpg', 'annotations/training/0.png'])
def test_a_damaged_file_is_replaced_in_training_alone(damaged, tmp_path):
    root = write_ade20k(tmp_path, 3)
    cut(root / damaged)
    data = scenes(root)
    sample = data[0]['data_samples']
    [(path, what, _)] = sample.image_issues
    assert (path, what) == (str(root / damaged), 'skipped') and sample.img_path != path
    with pytest.raises(ValueError) as caught:
        scenes(root, test_mode=True)[0]
    assert_one_sentence(caught.value, f'readable that is evaluated on, found .*{damaged}')


def test_pictures_without_labels(tmp_path):
    root = write_ade20k(tmp_path, 2)
    data = SegmentationFolders(
        metainfo=dict(classes=('a', 'b')),
        data_root=str(root),
        data_prefix=dict(img_path='images/training', seg_map_path=None),
        pipeline=PIPELINE,
        test_mode=True,
    )
    assert len(data) == 2 and 'gt_sem_seg' not in data[0]['data_samples']


# What is predicted -------------------------------------------------------------------------------


@pytest.mark.parametrize('reduce_zero_label', [True, False])
def test_predicted_label_maps_keep_their_places(reduce_zero_label, tmp_path):
    """Equal names in different folders do not meet; labels are those of the data set's files."""
    metric = METRICS.build(
        dict(type='LabelMapFiles', folder=str(tmp_path / 'out'), root=str(tmp_path / 'images'))
    )
    for value, name in enumerate(('a/1.jpg', 'b/1.jpg')):
        metric.process({}, [dict(
            img_path=str(tmp_path / 'images' / name),
            reduce_zero_label=reduce_zero_label,
            pred_sem_seg=dict(data=torch.full((1, 2, 3), value)),
        )])  # fmt: skip
    assert metric.evaluate(2) == {}
    for value, name in enumerate(('a/1.png', 'b/1.png')):
        written = np.asarray(Image.open(tmp_path / 'out' / name))
        assert written.shape == (2, 3) and {*written.flat} == {value + reduce_zero_label}
