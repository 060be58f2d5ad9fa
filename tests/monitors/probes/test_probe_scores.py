"""The probes against least squares and plain loops; planted signals and random labels."""

from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.registry import HOOKS
from mmengine.structures import PixelData
from mmpretrain.structures import DataSample
from PIL import Image

from bootmae_mm.monitors.probes.frozen import FrozenEncoder
from bootmae_mm.monitors.probes.image import ImageProbe
from bootmae_mm.monitors.probes.label_maps import LabelMapFolders
from bootmae_mm.monitors.probes.measuring import scores_of
from bootmae_mm.monitors.probes.segmentation import SegmentationProbe, mean_iou, pixels_per_class
from bootmae_mm.monitors.probes.sources import image_source, map_source
from bootmae_mm.transfer.ridge import RIDGE, RidgeClassifier
from tests.helpers.models import build_tiny
from tests.helpers.probe_data import (
    CLASSES,
    SIDE,
    image_hook,
    map_configs,
    miou_by_loops,
    ridge_scores,
    save,
    write_label_maps,
    write_labelled,
)

CPU = torch.device('cpu')


# The linear classifier ---------------------------------------------------------------------------


def fitted(x_ND: np.ndarray, targets_NC: np.ndarray, batches: int = 3) -> RidgeClassifier:
    classifier = RidgeClassifier(x_ND.shape[1], targets_NC.shape[1], CPU)
    for rows in np.array_split(np.arange(len(x_ND)), batches):
        classifier.add(torch.from_numpy(x_ND[rows]), torch.from_numpy(targets_NC[rows]))
    classifier.fit()
    return classifier


def outputs(classifier: RidgeClassifier, x_ND: np.ndarray) -> np.ndarray:
    return ((torch.from_numpy(x_ND) - classifier.mean_D) @ classifier.weight_DC).numpy() + (
        classifier.bias_C.numpy()
    )


@pytest.mark.parametrize('soft', [False, True])
def test_the_classifier_is_the_least_squares_solution(soft):
    rng = np.random.default_rng(0)
    x = rng.normal([100, -3, 0, 5], [0.01, 10, 1, 2], (40, 4))
    targets = np.eye(3)[rng.integers(0, 3, 40)]
    if soft:
        targets = rng.dirichlet([0.5] * 3, 40) * rng.integers(0, 3, (40, 1)) / 2
    classifier, new = fitted(x, targets), rng.normal([100, -3, 0, 5], [0.01, 10, 1, 2], (7, 4))
    expected = ridge_scores(x, targets, new, RIDGE)
    assert outputs(classifier, new) == pytest.approx(expected, abs=1e-6)
    assert classifier.predict(torch.from_numpy(new)).tolist() == expected.argmax(1).tolist()


def test_features_that_never_vary_do_not_matter():
    rng = np.random.default_rng(1)
    x, targets = rng.normal(size=(30, 3)), np.eye(2)[rng.integers(0, 2, 30)]
    constant = np.hstack([x, np.full((30, 1), 1e4 / 3), np.zeros((30, 1))])
    assert outputs(fitted(constant, targets), constant) == pytest.approx(
        outputs(fitted(x, targets), x), abs=1e-9
    )


def test_features_that_are_not_finite_are_an_error():
    x = np.ones((4, 2))
    x[1, 1] = np.inf
    with pytest.raises(RuntimeError, match='not finite'):
        fitted(x, np.eye(2)[[0, 1, 0, 1]])


# Features ----------------------------------------------------------------------------------------


@torch.no_grad()
def test_features_are_found_in_the_precision_of_the_run():
    encoder = build_tiny().backbone.eval()
    images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    half = partial(torch.autocast, 'cpu', torch.bfloat16)
    frozen = FrozenEncoder(encoder, half)
    with half():
        tokens, outputs = encoder.encode(images, taps=range(3))
    for block, average in enumerate(frozen.block_averages(images)):
        assert torch.equal(average, outputs[block][:, 1:].float().mean(dim=1))
    assert torch.equal(frozen.patches(images), tokens[:, 1:].float())
    assert not torch.equal(FrozenEncoder(encoder, nullcontext).patches(images), tokens[:, 1:])


# Images ------------------------------------------------------------------------------------------


class Planted(SimpleNamespace):
    """An encoder whose "images" are the features themselves: ``(B, blocks, D)``."""

    def __init__(self, num_blocks: int = 3, num_features: int = 8) -> None:
        super().__init__(num_blocks=num_blocks, num_features=num_features, device=CPU, patch_size=8)

    def block_averages(self, images):
        return list(images.unbind(1))

    def patches(self, images):
        return images


def images_with_signal(count: int, in_blocks: tuple[int, ...], seed: int):
    """Batches whose features of some blocks have the label along one direction."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, 3, 8, generator=generator)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    for block in in_blocks:
        features[:, block] += 6 * torch.eye(CLASSES, 8)[labels]
    samples = [DataSample().set_gt_label(label) for label in labels.tolist()]
    return [(features[i : i + 70], samples[i : i + 70]) for i in range(0, count, 70)]


def image_scores(in_blocks: tuple[int, ...]) -> dict[str, float]:
    train = images_with_signal(400, in_blocks, 0)
    val = images_with_signal(1000, in_blocks, 1)
    return scores_of({'student': ImageProbe(Planted(), CLASSES, k=20)}, train, val)


def test_a_planted_signal_is_found_in_its_block_and_nowhere_else():
    """1,000 guesses among 3 are right in 33 ± 1.5 %."""
    scores = image_scores((1,))
    assert scores['student_linear_block2'] > 99
    for at_chance in ('student_linear_block1', 'student_linear_block3', 'student_knn'):
        assert scores[at_chance] == pytest.approx(100 / 3, abs=6)
    scores = image_scores((2,))
    assert scores['student_knn'] > 99 and scores['student_linear_block3'] > 99
    assert scores['student_linear_block2'] == pytest.approx(100 / 3, abs=6)


def test_random_labels_stay_at_chance():
    """Also with as many features as the train images could be learned by heart with."""
    train = images_with_signal(100, (), 2)
    val = images_with_signal(1000, (), 3)
    for name, score in scores_of(
        {'teacher': ImageProbe(Planted(), CLASSES, 5)}, train, val
    ).items():
        assert score == pytest.approx(100 / 3, abs=6), name


# Segmentation ------------------------------------------------------------------------------------


def test_pixels_of_a_patch_are_counted_as_a_loop_counts_them():
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 1, 2, 255], (2, 4, 6))
    counts = pixels_per_class(torch.from_numpy(labels), 2, 3)
    assert counts.shape == (2, 6, 3)
    for image in range(2):
        for row in range(2):
            for column in range(3):
                patch = labels[image, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
                expected = [int((patch == label).sum()) for label in range(3)]
                assert counts[image, 3 * row + column].tolist() == expected


def test_a_label_without_a_class_is_an_error():
    with pytest.raises(ValueError, match=r'labels 0 to 2, or 255 .* found \[0, 3\]'):
        pixels_per_class(torch.tensor([[[0, 3], [255, 0]]]), 2, 3)


def test_mean_iou_is_over_the_classes_that_occur():
    confusion = torch.tensor([[3, 1, 0, 0], [2, 4, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
    assert mean_iou(confusion) == pytest.approx(100 * (3 / 7 + 4 / 7 + 0 / 1) / 3)
    assert mean_iou(torch.zeros(2, 2, dtype=torch.long)) == 0


def maps_with_signal(count: int, strength: float, seed: int):
    """Patch features ``(B, 16, D)`` that have the patch's mean label vector along three directions,
    and labels in which every patch has one class, but for noise."""
    rng = np.random.default_rng(seed)
    batches, truth = [], []
    for _ in range(count // 5):
        classes = rng.integers(0, CLASSES, (5, 4, 4))
        labels = classes.repeat(8, axis=1).repeat(8, axis=2)
        labels[rng.random(labels.shape) < 0.05] = 255
        features = rng.normal(size=(5, 16, 8))
        features[..., :CLASSES] += strength * np.eye(CLASSES)[classes.reshape(5, 16)]
        samples = [
            DataSample(gt_sem_seg=PixelData(data=torch.from_numpy(labels[i : i + 1])))
            for i in range(5)
        ]
        batches.append((torch.from_numpy(features).float(), samples))
        truth.append(labels)
    return batches, np.concatenate(truth)


def test_segmentation_finds_a_planted_signal_and_not_random_labels():
    """Without any, always the same class would have 1/3 of the pixels right: 11 mIoU; a guess is
    one of 9 pairs of the 5 that a class is in: 20."""
    for strength, low, high in ((6, 98, 100), (0, 5, 25)):
        train, _ = maps_with_signal(50, strength, 0)
        val, _ = maps_with_signal(50, strength, 1)
        scores = scores_of({'student': SegmentationProbe(Planted(), CLASSES)}, train, val)
        assert low < scores['student_seg_miou'] <= high


def test_the_score_is_the_mean_iou_of_the_pixels():
    (train, truth), (val, val_truth) = (maps_with_signal(10, 1.0, seed) for seed in (2, 3))
    found = scores_of({'student': SegmentationProbe(Planted(), CLASSES)}, train, val)
    features, new = (torch.cat([x for x, _ in part]).flatten(0, 1) for part in (train, val))
    targets = [
        [(patch == label).mean() for label in range(CLASSES)]
        for labels in truth
        for rows in np.split(labels, 4)
        for patch in np.split(rows, 4, axis=1)
    ]
    scores = ridge_scores(features.numpy(), np.array(targets), new.numpy(), RIDGE)
    predicted = scores.argmax(1).reshape(10, 4, 4).repeat(8, axis=1).repeat(8, axis=2)
    assert found['student_seg_miou'] == pytest.approx(miou_by_loops(predicted, val_truth))
    assert 20 < found['student_seg_miou'] < 80


# Data --------------------------------------------------------------------------------------------


def test_images_and_label_maps_of_two_folders(tmp_path):
    rng = np.random.default_rng(0)
    for folder in ('images/a', 'labels/a'):
        (tmp_path / folder).mkdir(parents=True)
    picture = rng.integers(0, 256, (12, 8, 3)).astype(np.uint8)
    labels = rng.choice([0, 1, 2, 255], (12, 8)).astype(np.uint8)
    save(picture, tmp_path / 'images/a/1.png')
    save(labels, tmp_path / 'labels/a/1.png')
    folders = (str(tmp_path / 'images'), str(tmp_path / 'labels'))

    (sample,) = LabelMapFolders(*folders, num_classes=3, img_size=(12, 8))
    assert sample['inputs'].numpy().tolist() == picture[:, :, ::-1].transpose(2, 0, 1).tolist()
    assert sample['data_samples'].gt_sem_seg.data.tolist() == [labels.tolist()]

    (sample,) = LabelMapFolders(*folders, num_classes=2, img_size=4, reduce_zero_label=True)
    small = Image.fromarray(picture).resize((4, 4), Image.Resampling.BICUBIC)
    assert sample['inputs'].permute(1, 2, 0).tolist() == np.asarray(small)[:, :, ::-1].tolist()
    nearest = labels[1::3, 1::2].astype(int)  # the middle of 3 rows, of 2 columns the second
    expected = np.where((nearest == 0) | (nearest == 255), 255, nearest - 1)
    assert sample['data_samples'].gt_sem_seg.data[0].tolist() == expected.tolist()

    with pytest.raises(ValueError, match='labels 0 to 1, or 255 .* found 2 in'):
        LabelMapFolders(*folders, num_classes=2, img_size=12)[0]
    Image.fromarray(picture).save(tmp_path / 'labels/a/1.png')
    with pytest.raises(ValueError, match='one channel of labels, found colours'):
        LabelMapFolders(*folders, num_classes=3, img_size=12)[0]
    (tmp_path / 'labels/a/1.png').write_bytes(b'no picture')
    with pytest.raises(ValueError, match='labels, found .*1.png. that cannot be decoded'):
        LabelMapFolders(*folders, num_classes=3, img_size=12)[0]
    (tmp_path / 'labels/a/1.png').rename(tmp_path / 'labels/a/2.png')
    with pytest.raises(ValueError, match='none for 1 of 1: .*a/1.png'):
        LabelMapFolders(*folders, num_classes=3, img_size=12)
    with pytest.raises(ValueError, match='Expected images .* found none'):
        LabelMapFolders(str(tmp_path / 'no'), folders[1], num_classes=3, img_size=12)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('probes')
    write_labelled(root / 'labelled', per_class=6)
    write_label_maps(root / 'maps', count=6)
    return root


def test_a_part_of_the_images_is_spread_over_the_classes(data):
    images = image_hook(data / 'labelled')['images']
    source = image_source(images, (SIDE, SIDE), limit=9, k=5)
    for part in (source.train, source.val):
        labels = [int(sample['data_samples'].gt_label) for sample in part]
        assert labels == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_a_part_of_the_label_maps_is_spread_over_all(data):
    source = map_source(map_configs(data / 'maps'), (SIDE, SIDE), limit=3)
    assert source.train.indices == source.val.indices == [0, 2, 4]


def test_images_and_label_maps_have_limits_of_their_own(data):
    maps = map_configs(data / 'maps')
    cfg = image_hook(data / 'labelled', segmentation=maps, max_images=9, max_label_maps=2)
    sources = HOOKS.build(cfg).build_sources((SIDE, SIDE))
    assert [(len(source.train), len(source.val)) for source in sources] == [(9, 9), (2, 2)]


def test_images_are_cropped_to_the_encoder_unless_they_have_a_pipeline(data):
    """The middle of 24 × 40 pixels of a picture of 40 · 256 / 224 = 45.7 pixels."""
    images = {
        split: dict(type='CustomDataset', data_root=str(data / 'labelled'), data_prefix=split)
        for split in ('train', 'val')
    }
    source = image_source(images, (24, 40), limit=9, k=5)
    assert [tuple(sample['inputs'].shape) for sample in source.val] == [(3, 24, 40)] * 9
    picture = Image.open(data / 'labelled/val/class_0/00.png')
    resized = np.asarray(picture.resize((46, 46), Image.Resampling.BICUBIC))
    expected = resized[11 : 11 + 24, 3 : 3 + 40, ::-1]
    assert source.val[0]['inputs'].permute(1, 2, 0).tolist() == expected.tolist()


def wrong(data, **changes):
    images = image_hook(data / 'labelled')['images']
    for split, edit in changes.items():
        images[split].update(edit)
    return images


def test_data_that_does_not_fit_is_refused_in_a_sentence(data, tmp_path):
    size = (SIDE, SIDE)
    with pytest.raises(ValueError, match=r'images of \(64, 64\) pixels .* images.train'):
        image_source(wrong(data), (64, 64), 100, 5)
    with pytest.raises(ValueError, match='k of at most the 18 train images .* found 19'):
        image_source(wrong(data), size, 100, 19)
    with pytest.raises(ValueError, match='a data set as images.val .* correct its paths'):
        image_source(wrong(data, val=dict(data_prefix='nothing')), size, 100, 5)
    with pytest.raises(ValueError, match='one label for every image of images.val .* found None'):
        image_source(wrong(data, val=dict(with_label=False)), size, 100, 5)
    listed = tmp_path / 'list.txt'
    listed.write_text('class_0/00.png 0\nclass_1/00.png 1\n')
    with pytest.raises(ValueError, match='none of 2 among 2'):
        image_source(wrong(data, train=dict(ann_file=str(listed))), size, 100, 1)

    other = write_labelled(tmp_path / 'other', per_class=6) / 'val'
    (other / 'class_2').rename(other / 'class_9')
    with pytest.raises(ValueError, match='same classes .* different ones: class_2, class_9'):
        image_source(wrong(data, val=dict(data_root=str(other.parent))), size, 100, 5)

    maps = map_configs(data / 'maps')
    with pytest.raises(ValueError, match=r'images of \(64, 64\) pixels .* segmentation.train'):
        map_source(maps, (64, 64), 100)
    maps['val']['num_classes'] = 4
    with pytest.raises(ValueError, match='found 3 and 4'):
        map_source(maps, size, 100)
    with pytest.raises(ValueError, match='label maps of .* in segmentation.train .* found None'):
        map_source(wrong(data), size, 100)
    listed.write_text('class_0/00.png 0\n')
    with pytest.raises(ValueError, match='num_classes or metainfo.classes as segmentation.train'):
        map_source(wrong(data, train=dict(ann_file=str(listed))), size, 100)


def test_label_maps_by_mmseg_are_the_same(data):
    pytest.importorskip('mmseg')

    def config(split: str) -> dict:
        return dict(
            type='mmseg.BaseSegDataset',
            data_root=str(data / 'maps' / split),
            data_prefix=dict(img_path='images', seg_map_path='labels'),
            img_suffix='.png',
            metainfo=dict(classes=('a', 'b', 'c')),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='mmseg.LoadAnnotations'),
                dict(type='mmseg.PackSegInputs'),
            ],
        )

    by_mmseg = map_source({split: config(split) for split in ('train', 'val')}, (SIDE, SIDE), 5)
    ours = map_source(map_configs(data / 'maps'), (SIDE, SIDE), 5)
    assert by_mmseg.probe.keywords == ours.probe.keywords == dict(num_classes=3)
    for one, other in zip(by_mmseg.val, ours.val, strict=True):
        assert torch.equal(one['inputs'], other['inputs'])
        labels = [sample['data_samples'].gt_sem_seg.data for sample in (one, other)]
        assert torch.equal(*labels)
