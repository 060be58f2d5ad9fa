"""Any folder of images: what is found, what replaces a file that cannot be read, what is told."""

import logging
import os
import re
from pathlib import Path

import numpy as np
import pytest
from mmengine.dataset import default_collate
from torch.utils.data import DataLoader

from bootmae_mm.data import search
from bootmae_mm.data.dataset import UnlabelledImages
from bootmae_mm.data.sampling import EpochSampler, SampleKey
from bootmae_mm.data.search import find_images
from tests.helpers.images import write_images
from tests.helpers.mixed_folders import BAD, CONVERTED, write_bad, write_odd
from tests.helpers.samples import PIPELINE, digest


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.fixture(scope='module')
def mixed(tmp_path_factory) -> Path:
    """16 files: 4 good, 4 unreadable, 8 to convert."""
    folder = tmp_path_factory.mktemp('dataset') / 'images'
    write_images(folder / 'good', 4)
    write_odd(folder)
    write_bad(folder)
    return folder


@pytest.fixture
def logged(monkeypatch) -> list:
    """What the module logs, as (level, message)."""
    messages = []

    def log(message, logger, level):
        assert logger == 'current', 'print_log prints without a logger'
        messages.append((level, message))

    monkeypatch.setattr(search, 'print_log', log)
    return messages


class TestFindImages:
    def test_all_files_below_a_folder_sorted(self, tmp_path, logged):
        names = ['b.png', 'a/z.JPEG', 'a/b/c/x.jpg', 'c.gif', 'a.jpg', 'B.Tif', 'd/e.webp']
        touch(tmp_path, *names)
        assert find_images(str(tmp_path)) == sorted(names)
        assert not logged

    def test_other_files_are_left_out_and_counted(self, tmp_path, logged):
        touch(tmp_path, 'a.jpg', 'README', 'sub/labels.txt', 'sub/jpg', 'b.jpg.bak')
        assert find_images(str(tmp_path)) == ['a.jpg']
        ((level, message),) = logged
        assert level == logging.WARNING
        assert '4 files that are not images by their name' in message

    def test_the_extensions_can_be_chosen(self, tmp_path):
        touch(tmp_path, 'a.jpg', 'b.JP2', 'c.png')
        assert find_images(str(tmp_path), ['.jp2', '.png']) == ['b.JP2', 'c.png']
        dataset = UnlabelledImages(str(tmp_path), PIPELINE, extensions=('.jp2',))
        assert [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))] == [
            str(tmp_path / 'b.JP2')
        ]

    def test_links_to_folders_are_followed_once(self, tmp_path):
        touch(tmp_path / 'elsewhere', 'x.jpg', 'sub/y.jpg')
        folder = touch(tmp_path / 'images', 'a.jpg')
        (folder / 'link').symlink_to(tmp_path / 'elsewhere')
        (folder / 'same').symlink_to(tmp_path / 'elsewhere')
        (folder / 'link/round').symlink_to(folder)
        found = find_images(str(folder))
        assert found == ['a.jpg', 'link/sub/y.jpg', 'link/x.jpg']

    def test_a_folder_that_cannot_be_listed_is_told_of(self, tmp_path, monkeypatch, logged):
        touch(tmp_path, 'a.jpg', 'private/b.jpg')
        scan = os.scandir

        def refuse(path):
            if Path(path).name == 'private':
                raise PermissionError(13, 'Permission denied', path)
            return scan(path)

        monkeypatch.setattr(os, 'scandir', refuse)
        assert find_images(str(tmp_path)) == ['a.jpg']
        ((_, message),) = logged
        assert str(tmp_path / 'private') in message
        assert 'Permission denied' in message

    @pytest.mark.parametrize('name', ['nowhere', 'file.jpg', ''])
    def test_a_wrong_path_is_an_error(self, tmp_path, name):
        touch(tmp_path, 'file.jpg')
        path = str(tmp_path / name) if name else ''
        with pytest.raises(ValueError, match=r'Expected a folder of images.*data_root') as error:
            UnlabelledImages(path, PIPELINE)
        assert repr(path)[1:-1] in str(error.value)

    def test_a_folder_without_images_is_an_error_that_says_what_was_looked_for(self, tmp_path):
        touch(tmp_path, 'a.txt', 'b/c.csv')
        with pytest.raises(ValueError, match=r'\.jpg.*\.gif.*found none among its 2 files') as e:
            UnlabelledImages(str(tmp_path), PIPELINE)
        assert str(tmp_path) in str(e.value)
        (tmp_path / 'empty').mkdir()
        with pytest.raises(ValueError, match='found none among its 0 files'):
            UnlabelledImages(str(tmp_path / 'empty'), PIPELINE)


def paths_of(dataset: UnlabelledImages) -> list:
    return [dataset.get_data_info(index)['img_path'] for index in range(len(dataset))]


class TestUnlabelledImages:
    def test_imagenet_s_layout_or_any_other(self, tmp_path):
        names = ['n01440764/n01440764_10026.JPEG', 'n01443537/n01443537_2.JPEG', 'x/y/z/1.png']
        touch(tmp_path, *names)
        dataset = UnlabelledImages(str(tmp_path), PIPELINE)
        assert paths_of(dataset) == [str(tmp_path / name) for name in names]

    def test_mmengine_s_prefix_and_the_home_folder_are_understood(self, tmp_path, monkeypatch):
        touch(tmp_path, 'data/train/a.jpg', 'data/val/b.jpg')
        monkeypatch.setenv('HOME', str(tmp_path))
        expected = [str(tmp_path / 'data/train/a.jpg')]
        assert paths_of(UnlabelledImages('~/data/train', PIPELINE)) == expected
        assert paths_of(UnlabelledImages('~/data', PIPELINE, data_prefix='train')) == expected

    def test_several_folders_one_after_the_other(self, tmp_path):
        touch(tmp_path, 'one/train/a.jpg', 'two/train/b.jpg', 'two/train/c.jpg')
        one, two = str(tmp_path / 'one'), str(tmp_path / 'two')
        a, b, c = f'{one}/train/a.jpg', f'{two}/train/b.jpg', f'{two}/train/c.jpg'
        assert paths_of(UnlabelledImages([two, one], PIPELINE)) == [b, c, a]
        twice = UnlabelledImages((one, two, one), PIPELINE, data_prefix='train')
        assert paths_of(twice) == [a, b, c, a]
        with pytest.raises(ValueError, match='found an empty list'):
            UnlabelledImages([], PIPELINE)
        with pytest.raises(ValueError, match=f"found none at '{one}x'"):
            UnlabelledImages([one, f'{one}x'], PIPELINE)

    def test_a_folder_that_is_listed_twice_gives_other_crops(self, tmp_path):
        folder = str(write_images(tmp_path / 'images', 3))
        dataset = UnlabelledImages([folder, folder], PIPELINE)
        first, again = dataset[SampleKey(0, 0, 1)], dataset[SampleKey(0, 0, 4)]
        assert first['data_samples'].img_path == again['data_samples'].img_path
        assert digest(first) != digest(again)

    @pytest.mark.parametrize('options', [dict(lazy_init=True), dict(serialize_data=False)])
    def test_mmengine_s_options_work(self, mixed, options):
        plain = UnlabelledImages(str(mixed), PIPELINE)
        other = UnlabelledImages(str(mixed), PIPELINE, **options)
        for index in range(16):
            assert digest(other[index]) == digest(plain[index])
        assert len(other) == 16

    def test_a_subset_replaces_from_the_subset(self, mixed):
        dataset = UnlabelledImages(str(mixed), PIPELINE, indices=[0, 4])  # bad/empty, good/000
        assert len(dataset) == 2
        for epoch in range(5):
            sample = dataset[SampleKey(0, epoch, 0)]['data_samples']
            assert Path(sample.img_path).name == '000.png'

    def test_a_loop_over_the_dataset_ends(self, tmp_path):
        dataset = UnlabelledImages(str(write_images(tmp_path / 'images', 3)), PIPELINE)
        found = [sample for sample, _ in zip(dataset, range(10), strict=False)]
        assert [sample['data_samples'].sample_idx for sample in found] == [0, 1, 2]


class TestReplacement:
    def test_a_readable_folder_has_no_issues(self, tmp_path):
        dataset = UnlabelledImages(str(write_images(tmp_path / 'images', 3)), PIPELINE)
        assert [dataset[i]['data_samples'].image_issues for i in range(3)] == [[], [], []]

    @pytest.mark.parametrize('workers', [0, 2])
    def test_good_and_bad_files_together_give_whole_batches(self, mixed, workers):
        dataset = UnlabelledImages(str(mixed), PIPELINE)
        sampler = EpochSampler(dataset, total_batch_size=4, seed=0)
        loader = DataLoader(
            dataset, batch_size=4, sampler=sampler, num_workers=workers, collate_fn=default_collate
        )
        batches = list(loader)
        assert [tuple(batch['inputs'].shape) for batch in batches] == [(4, 3, 32, 32)] * 4
        samples = [sample for batch in batches for sample in batch['data_samples']]
        issues = {issue for sample in samples for issue in map(tuple, sample.image_issues)}
        skipped = {path: why for path, what, why in issues if what == 'skipped'}
        converted = {path: why for path, what, why in issues if what == 'converted'}
        assert skipped.keys() == {str(mixed / name) for name in BAD}
        assert 'cannot identify image file' in skipped[str(mixed / 'bad/empty.jpg')]
        assert 'truncated' in skipped[str(mixed / 'bad/truncated.jpg')]
        assert converted == {str(mixed / name): why for name, why in CONVERTED.items()}
        assert len(issues) == 12
        for sample in samples:
            name = str(Path(sample.img_path).relative_to(mixed))
            assert name not in BAD
            own = [tuple(issue[:2]) for issue in sample.image_issues if issue[1] == 'converted']
            assert own == ([(sample.img_path, 'converted')] if name in CONVERTED else [])

    def test_the_replacement_of_a_key_is_always_the_same(self, mixed):
        def draw() -> list:
            dataset = UnlabelledImages(str(mixed), PIPELINE)
            keys = [SampleKey(0, epoch, index) for epoch in range(3) for index in range(4)]
            samples = [dataset[key] for key in keys]
            return [(s['data_samples'].img_path, digest(s)) for s in samples]

        first = draw()
        np.random.rand(7)
        assert draw() == first
        assert len({path for path, _ in first}) > 4, 'not always the same file'

    def test_every_readable_file_replaces_equally_often(self, tmp_path):
        folder = write_images(tmp_path / 'images', 4)
        (folder / '000.png').write_bytes(b'')
        dataset = UnlabelledImages(str(folder), [dict(type='LoadAnyImage'), PIPELINE[-1]])
        keys = [SampleKey(0, epoch, 0) for epoch in range(900)]
        counts = np.bincount([dataset[key]['data_samples'].sample_idx for key in keys])
        assert counts[0] == 0
        assert (np.abs(counts[1:] / 900 - 1 / 3) < 5 * np.sqrt(2 / 9 / 900)).all()

    def test_a_sample_is_drawn_with_its_own_key_also_as_a_replacement(self, tmp_path):
        """Mask and crop are those of the key, whichever file they are taken of."""
        folder = write_images(tmp_path / 'images', 4)
        good = UnlabelledImages(str(folder), PIPELINE)[SampleKey(1, 2, 0)]['data_samples']
        (folder / '000.png').write_bytes(b'')
        other = UnlabelledImages(str(folder), PIPELINE)[SampleKey(1, 2, 0)]['data_samples']
        assert other.img_path != good.img_path
        assert np.array_equal(other.get('ids_masked'), good.get('ids_masked'))

    def test_a_long_run_of_bad_files_stops_nothing(self, tmp_path):
        """As after a download that failed for a whole class."""
        folder = touch(tmp_path / 'images', *(f'a{index:03}.jpg' for index in range(150)))
        write_images(folder / 'good', 50)
        dataset = UnlabelledImages(str(folder), PIPELINE)
        for index in range(150):
            assert 'good' in dataset[index]['data_samples'].img_path

    @pytest.mark.parametrize('count', [1, 3, 300])
    def test_no_readable_file_at_all_is_an_error(self, tmp_path, count):
        folder = touch(tmp_path / 'images', *(f'{index:03}.jpg' for index in range(count)))
        with pytest.raises(ValueError, match=r'Expected readable images, found none') as error:
            UnlabelledImages(str(folder), PIPELINE)[0]
        message = str(error.value)
        assert f'data_root={str(folder)!r}' in message
        assert 'cannot identify image file' in message
        tried = int(re.search(r'none among (\d+) files', message)[1])
        assert tried == count or 80 < tried <= 100 < count

    def test_other_errors_are_not_swallowed(self, mixed):
        def broken(results):
            raise KeyError('a bug in a transform')

        with pytest.raises(KeyError, match='a bug'):
            UnlabelledImages(str(mixed), [PIPELINE[0], broken])[5]
