"""Class folders and lists: the same as mmpretrain reads, less what is no class or no picture."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.dataset import default_collate
from mmpretrain.datasets import CustomDataset, ImageNet
from PIL import Image
from torch.utils.data import DataLoader

from bootmae_mm.command_line import is_ours
from bootmae_mm.data import image_folders, search, unreadable
from bootmae_mm.data.errors import DataError
from bootmae_mm.data.image_folders import ImageFolders
from bootmae_mm.data.sampling import EpochSampler, SampleKey
from bootmae_mm.engine.datasets import replace_nothing
from tests.helpers.images import write_images

OWN = [dict(type='LoadAnyImage'), dict(type='PackInputs')]
LOADERS = {'own': OWN, "mmcv's": [dict(type='LoadImageFromFile'), dict(type='PackInputs')]}


def write_classes(root: Path, *names: str) -> Path:
    for index, name in enumerate(names):
        write_images(root / name, 3, seed=index)
    return root


def entries(dataset) -> list[tuple[str, int]]:
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    return [(info['img_path'], info.get('gt_label')) for info in infos]


@pytest.fixture
def logged(monkeypatch) -> list[str]:
    messages = []
    for module in (image_folders, search):
        monkeypatch.setattr(module, 'warn', messages.append)
    return messages


class TestReading:
    def test_what_mmpretrain_reads_in_the_same_order(self, tmp_path):
        root = write_classes(tmp_path, 'train/b', 'train/a-b', 'train/a', 'train/a/deeper')
        ours = ImageFolders(str(root), split='train')
        theirs = CustomDataset(str(root), data_prefix='train')
        assert entries(ours) == entries(theirs) and len(ours) == 12
        assert ours.metainfo == theirs.metainfo == dict(classes=('a', 'a-b', 'b'))
        third = ImageFolders(str(root), split='train', every=3)
        assert entries(third) == entries(theirs)[::3]
        assert {label for _, label in entries(third)} == {0, 1, 2}
        alone = ImageFolders(str(root), data_prefix='train', with_label=False)
        assert sorted(entries(alone)) == sorted((path, None) for path, _ in entries(ours))

    def test_lists_as_imagenet_has_them(self, tmp_path):
        root = write_classes(tmp_path, 'val')
        (root / 'meta').mkdir()
        (root / 'meta/val.txt').write_text('002.png 7\n000.png 999\n')
        assert entries(ImageFolders(str(root), split='val')) == entries(
            ImageNet(str(root), split='val')
        )
        (root / 'own.txt').write_text('001.png 1\n')
        own = ImageFolders(str(root), data_prefix='val', ann_file='own.txt')
        assert entries(own) == [(str(root / 'val/001.png'), 1)]

    def test_imagenet_s_folders_have_its_names(self, tmp_path):
        for number in range(1000):
            (tmp_path / f'train/n{number:08}').mkdir(parents=True)
        write_images(tmp_path / 'train/n00000007', 1)
        ours, theirs = (kind(str(tmp_path), split='train') for kind in (ImageFolders, ImageNet))
        assert ours.metainfo == theirs.metainfo and entries(ours) == entries(theirs)

    def test_hidden_folders_are_no_classes(self, tmp_path, logged):
        write_classes(tmp_path, '.ipynb_checkpoints', '__MACOSX/cat', 'cat', 'dog')
        (tmp_path / 'cat/._000.png').touch()
        (tmp_path / 'dog/notes.txt').touch()
        dataset = ImageFolders(str(tmp_path))
        assert dataset.metainfo['classes'] == ('cat', 'dog') and len(dataset) == 6
        assert ['1 files that are not' in m or '3 files and folders' in m for m in logged] == [
            True, True,
        ]  # fmt: skip

    def test_what_is_odd_is_told(self, tmp_path, logged):
        write_classes(tmp_path, 'cat')
        (tmp_path / 'dog').mkdir()
        write_images(tmp_path, 1)
        assert [label for _, label in entries(ImageFolders(str(tmp_path)))] == [0] * 3
        assert len(logged) == 2
        assert '1 images beside the class folders' in logged[0] and '000.png' in logged[0]
        assert 'no image in 1 class folders: dog' in logged[1]

    def test_names_of_the_folders_in_another_order_give_the_labels(self, tmp_path):
        write_classes(tmp_path, 'cat', 'dog')
        dataset = ImageFolders(str(tmp_path), classes=['dog', 'cat'])
        assert {Path(path).parent.name: label for path, label in entries(dataset)} == dict(
            dog=0, cat=1
        )
        shown = ImageFolders(str(tmp_path), classes=['Katze', 'Hund'])
        assert {Path(path).parent.name: label for path, label in entries(shown)} == dict(
            cat=0, dog=1
        )
        with pytest.raises(ValueError, match='each of the 1 classes, found 2: cat, dog'):
            ImageFolders(str(tmp_path), classes=['cat'])

    def test_no_class_folders(self, tmp_path):
        write_images(tmp_path / 'flat', 2)
        with pytest.raises(ValueError, match=r'in class folders in .*, found 2 images beside'):
            ImageFolders(str(tmp_path / 'flat'))
        with pytest.raises(ValueError, match='found none at'):
            ImageFolders(str(tmp_path), split='train')


@pytest.fixture
def spoilt(tmp_path) -> Path:
    """Two classes of three images, of which the second's first is a page of an error."""
    root = write_classes(tmp_path / 'data', 'cat', 'dog')
    (root / 'dog/000.png').write_text('<html>404 Not Found</html>')
    return root


@pytest.mark.parametrize('loader', LOADERS.values(), ids=LOADERS)
class TestUnreadable:
    def test_training_replaces_image_and_label(self, spoilt, loader):
        dataset = ImageFolders(str(spoilt), pipeline=loader)
        np.random.seed(0)
        state = np.random.get_state()[1].tolist()
        samples = [dataset[3]['data_samples'] for _ in range(2)]
        assert samples[0].img_path == samples[1].img_path != str(spoilt / 'dog/000.png')
        label = sorted(('cat', 'dog')).index(Path(samples[0].img_path).parent.name)
        assert samples[0].gt_label.item() == label
        ((path, what, why),) = samples[0].image_issues
        assert (path, what) == (str(spoilt / 'dog/000.png'), 'skipped')
        assert 'cannot identify image file' in why
        assert np.random.get_state()[1].tolist() == state, 'no one else is disturbed'
        assert dataset[0]['data_samples'].image_issues == []

    @pytest.mark.parametrize('workers', [0, 1])
    def test_evaluation_ends_in_one_sentence_that_names_it(self, spoilt, loader, workers):
        dataset = ImageFolders(str(spoilt), pipeline=loader)
        replace_nothing(dataset)
        batches = DataLoader(dataset, 2, num_workers=workers, collate_fn=default_collate)
        with pytest.raises(DataError) as error:
            list(batches)
        message = str(error.value)
        assert message.startswith('Expected every file readable') and '\n' not in message
        assert 'dog/000.png' in message and message.endswith('remove it.')
        assert is_ours(error.value)

    def test_what_is_no_file_s_fault_is_not_swallowed(self, spoilt, loader):
        def broken(results):
            raise KeyError('a bug in a transform')

        dataset = ImageFolders(str(spoilt), pipeline=[loader[0], broken])
        with pytest.raises(KeyError, match='a bug'):
            dataset[0]


def test_a_label_map_that_cannot_be_read_is_found(tmp_path):
    image, label_map = write_images(tmp_path, 2) / '000.png', tmp_path / '001.png'
    info = dict(img_path=str(image), seg_map_path=str(label_map))
    with pytest.raises(OSError, match='other'):
        unreadable.unreadable_file(info, OSError('other'))
    label_map.write_bytes(label_map.read_bytes()[:60])
    assert unreadable.unreadable_file(info, OSError('other'))[0] == str(label_map)


def test_keys_work_with_labels_too(tmp_path):
    crop = dict(type='RandomResizedCrop', scale=16)
    dataset = ImageFolders(
        str(write_classes(tmp_path, 'cat', 'dog')), pipeline=[OWN[0], crop, OWN[1]]
    )
    keys = list(EpochSampler(dataset, 6, seed=0))
    first, again = ([dataset[key]['inputs'] for key in keys] for _ in range(2))
    assert all(map(np.array_equal, first, again))
    assert not np.array_equal(dataset[0]['inputs'], dataset[0]['inputs'])
    assert not np.array_equal(dataset[SampleKey(0, 1, 0)]['inputs'], first[0])


def test_conversions_are_noted(tmp_path):
    write_classes(tmp_path, 'cat')
    Image.new('L', (8, 8)).save(tmp_path / 'cat/000.png')
    issues = ImageFolders(str(tmp_path), pipeline=OWN)[0]['data_samples'].image_issues
    assert issues == [(str(tmp_path / 'cat/000.png'), 'converted', 'L to RGB')]
