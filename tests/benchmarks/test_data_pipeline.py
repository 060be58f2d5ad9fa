"""The benchmark of the data pipeline at a tiny size: what it compares, never how fast it is."""

import json
import sys

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from bootmae_mm.data.synthetic import photographs
from tests.helpers.paths import ROOT

sys.path.insert(0, str(ROOT / 'benchmarks'))

import data_pipeline  # noqa: E402


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp('photographs')
    sizes = photographs.write_photographs(folder, 6)
    return sorted(folder.iterdir()), sizes


class TestPhotographs:
    def test_they_are_as_large_as_imagenet_s(self, files):
        paths, sizes = files
        assert [path.stat().st_size for path in paths] == sizes
        assert 80_000 < np.mean(sizes) < 130_000
        with Image.open(paths[0]) as image:
            assert (image.size, image.mode) == ((500, 375), 'RGB')

    def test_they_come_from_their_seed(self, files, tmp_path):
        paths, _ = files
        photographs.write_photographs(tmp_path / 'same', 2)
        photographs.write_photographs(tmp_path / 'other', 1, seed=1)
        for name in ('0000.jpg', '0001.jpg'):
            assert (tmp_path / 'same' / name).read_bytes() == paths[int(name[:4])].read_bytes()
        assert (tmp_path / 'other/0000.jpg').read_bytes() != paths[0].read_bytes()


@pytest.fixture(scope='module')
def tables() -> dict:
    before = torch.get_num_threads(), cv2.getNumThreads()
    tables = data_pipeline.measure(count=3, rounds=1)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before
    return tables


class TestMeasure:
    def test_both_pipelines_see_the_same_files(self, tables):
        rows = tables['Data pipeline, one core']
        assert [row['pipeline'] for row in rows] == ["mmpretrain's MAE", 'ours, with masks'] * 2
        assert [row['files'][:13] for row in rows] == ['3 of 500 × 37'] * 2 + ['1 of 2000 × 1'] * 2
        for mae, ours in (rows[:2], rows[2:]):
            assert mae['files'] == ours['files']
            assert mae['times as fast'] == 1
            ratio = mae['ms / image'] / ours['ms / image']
            assert ours['times as fast'] == pytest.approx(ratio)
            assert ours['images / s'] == pytest.approx(1000 / ours['ms / image'])

    def test_the_parts_are_the_whole(self, tables):
        rows = tables['Data pipeline, parts of ours']
        assert [row['part'] for row in rows] == [
            'read and decode', 'crop, resize, flip', 'mask', 'pack', 'seeding, dataset',
        ]  # fmt: skip
        assert sum(row['share in %'] for row in rows) == pytest.approx(100)
        assert all(row['ms / image'] > 0 for row in rows)

    def test_the_crops_are_within_resampling_of_pillow_s(self, tables):
        (row,) = tables["Crops beside Pillow's, in grey levels of 255"]
        assert row['largest'] <= 2
        assert row['mean'] < 0.02
        assert 0 < row['values that differ in %'] < 2


def test_mae_s_pipeline_is_mmpretrain_s_own(monkeypatch, files):
    """Read from its config, without masks; ours is that of the pretraining configs."""
    seen = []
    monkeypatch.setattr(data_pipeline.common, 'in_turn', lambda steps, rounds: seen.append(steps))
    monkeypatch.setattr(data_pipeline.common, 'medians', lambda times: dict.fromkeys(seen[0], 1.0))
    data_pipeline.compare(files[0][0].parent, 1)
    kinds = []
    for step in seen[0].values():
        (draw,) = [cell.cell_contents for cell in step.__closure__ if callable(cell.cell_contents)]
        (dataset,) = [cell.cell_contents for cell in draw.__closure__]
        kinds.append([type(transform).__name__ for transform in dataset.pipeline.transforms])
    assert kinds == [
        ['LoadImageFromFile', 'RandomResizedCrop', 'RandomFlip', 'PackInputs'],
        ['LoadAnyImage', 'RandomCropFlip', 'BlockwiseMasking', 'PackInputs'],
    ]


def test_every_chunk_goes_on_where_the_last_one_ended():
    drawn = []
    step = data_pipeline.chunks(lambda epoch, index: drawn.append((epoch, index)), images=5)
    step(), step()
    expected = [(epoch, index) for epoch in range(7) for index in range(5)]
    assert drawn == expected[: 2 * data_pipeline.CHUNK]


def test_the_command_prints_and_writes(monkeypatch, tmp_path, capsys):
    tables = dict(Speed=[dict(pipeline='ours', ratio=2.5)])
    called = []
    monkeypatch.setattr(data_pipeline, 'measure', lambda *args: called.append(args) or tables)
    data_pipeline.main(['--count', '7', '--rounds', '2', '--out', str(tmp_path)])
    assert called == [(7, 2, None)]
    assert '| ours | 2.5 |' in capsys.readouterr().out
    assert json.loads((tmp_path / 'data_pipeline.json').read_text())['sections'] == tables
    with pytest.raises(SystemExit):
        data_pipeline.main(['--count', '0'])
    assert 'at least 1 image' in capsys.readouterr().err


def test_photographs_of_one_s_own(files, tmp_path, capsys):
    """They take the place of those made up; a grey one among them; none is told in a sentence."""
    Image.open(files[0][0]).convert('L').resize((300, 200)).save(tmp_path / 'grey.jpg')
    Image.open(files[0][0]).save(tmp_path / 'colour.jpg')
    tables = data_pipeline.measure(rounds=1, photographs=tmp_path)
    rows = tables['Data pipeline, one core']
    assert [row['files'].partition(',')[0] for row in rows] == ['2 of 400 × 288'] * 2
    (row,) = tables["Crops beside Pillow's, in grey levels of 255"]
    assert row['largest'] <= 2
    (tmp_path / 'none').mkdir()
    with pytest.raises(SystemExit):
        data_pipeline.main(['--images', str(tmp_path / 'none')])
    assert 'Expected images' in capsys.readouterr().err
