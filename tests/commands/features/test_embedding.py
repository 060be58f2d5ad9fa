"""Features of pictures: against plain loops over the pictures."""

import csv
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from PIL import Image
from torch import nn

from bootmae_mm.commands.features import embedding_parts
from bootmae_mm.commands.features.embedded_features import read_features
from bootmae_mm.commands.features.embedding import embed
from tests.commands.features.embedding_data import (
    KINDS,
    MEAN,
    STD,
    close,
    plain,
    some_model,
    some_pictures,
    some_run,
)
from tests.helpers.image_zoo import write_zoo
from tests.helpers.images import write_images
from tests.helpers.labelled_data import load_tool
from tests.helpers.paths import ROOT


@pytest.fixture(scope='module')
def model() -> nn.Module:
    return some_model()


@pytest.fixture(scope='module')
def pictures(tmp_path_factory) -> Path:
    return some_pictures(tmp_path_factory.mktemp('data') / 'pictures')


@pytest.fixture(scope='module')
def run(tmp_path_factory, model) -> Path:
    return some_run(tmp_path_factory.mktemp('run'), model)


@pytest.mark.parametrize('block', [None, 2])
def test_features_are_those_of_a_plain_loop(pictures, run, model, tmp_path, block):
    told = []
    done = embed(
        pictures, run, tmp_path / 'f.npz', block=block, features=KINDS, batch=4, part=5,
        say=told.append,
    )  # fmt: skip
    names = sorted(str(p.relative_to(pictures)) for p in pictures.rglob('*.png'))
    assert done == (tmp_path / 'f.npz', 11, {}) and len(names) == 11
    for kind in KINDS:
        found = read_features(done.file, kind)
        assert found.files == names and found.values.dtype == np.float32
        expected = np.stack([plain(model, pictures / name, block or 3)[kind] for name in names])
        assert expected.std() > 0.1
        close(found.values, expected)
    assert '1 files that are not images by their name are left out: readme.txt.' in told
    assert told[1].startswith('epoch_10.pth: loaded 42/42 encoder tensors')
    assert told[-1].endswith(
        f'f.npz: class (24) and mean (24) and patches (16 × 24), after block {block or 3}'
    )
    assert len(told) == 3  # nothing was assumed
    assert [path.name for path in tmp_path.iterdir()] == ['f.npz']  # no parts are left


def test_what_the_encoder_sees_is_what_the_validation_pipeline_makes(tmp_path):
    cfg = Config.fromfile(ROOT / 'configs/photos/photos_finetune.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        pipeline = Compose(cfg.val_dataloader.dataset.pipeline)
    rng = np.random.default_rng(0)
    for size in [(100, 70), (70, 100), (64, 64), (30, 41), (200, 64), (65, 643)]:
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(tmp_path / 'a.png')
        bgr = pipeline(dict(img_path=str(tmp_path / 'a.png')))['inputs'].numpy()
        rgb = np.asarray(Image.open(tmp_path / 'a.png'))
        assert np.array_equal(embedding_parts.Cut((64, 64))(rgb).transpose(2, 0, 1)[::-1], bgr)


@pytest.mark.parametrize('shape', [(100, 70), (70, 100), (20, 500), (500, 20), (64, 128)])
def test_an_oblong_input_is_covered(shape):
    """Pictures that grow brighter to the right: it is their middle, whose brightness is that of the
    picture; a part that was not covered would make it smaller."""
    ramp = np.linspace(0, 255, shape[1]).round().astype(np.uint8)
    found = embedding_parts.Cut((32, 64))(np.broadcast_to(ramp[None, :, None], (*shape, 3)).copy())
    assert found.shape == (32, 64, 3) and abs(found.mean() - 127.5) < 3
    share = min(1, shape[0] * 2 / shape[1])  # of the picture's width that is seen
    ends = float(found[:, -1].mean()) - float(found[:, 0].mean())
    assert ends == pytest.approx(255 * share, abs=6)


def test_another_size_of_the_input(pictures, run, model, tmp_path):
    done = embed(pictures, run, tmp_path / 'f.npz', size=(16, 48), features=KINDS)
    found = {kind: read_features(done.file, kind).values for kind in KINDS}
    assert found['patches'].shape == (11, 12, 24)
    image = embedding_parts.Cut((16, 48))(np.asarray(Image.open(pictures / 'tall.png')))
    with torch.no_grad():
        inputs = (torch.from_numpy(image.copy()).float() - torch.tensor(MEAN)) / torch.tensor(STD)
        tokens, _ = model.backbone.encode(inputs.permute(2, 0, 1)[None])
        tokens = model.backbone.ln1(tokens)[0]
    close(found['patches'][-1], tokens[1:])
    with pytest.raises(ValueError, match='of 8 pixels, found 20 × 48; take --size 16x48'):
        embed(pictures, run, tmp_path / 'g.npz', size=(20, 48))


# --------------------------------------------------------------------------------- the pictures


def damage(folder: Path) -> Path:
    """With the first two pictures cut off or no picture at all."""
    content = (folder / '000.png').read_bytes()
    (folder / '000.png').write_bytes(content[: len(content) // 2])
    (folder / '001.png').write_text('no picture')
    return folder


def test_damaged_files_are_left_out_and_named(run, model, tmp_path):
    folder, told = damage(write_images(tmp_path / 'pictures', 5)), []
    done = embed(folder, run, tmp_path / 'f.npz', part=2, say=told.append)  # no row in the first
    assert done.rows == 3 and list(done.left_out) == ['000.png', '001.png']
    (sentence,) = [line for line in told if 'pictures are left out' in line]
    assert sentence.startswith('2 pictures are left out: 000.png (') and '001.png (Uni' in sentence
    found = read_features(done.file)
    assert found.files == ['002.png', '003.png', '004.png']
    assert found.notes['left_out'] == done.left_out
    close(found.values, [plain(model, folder / name, 3)['mean'] for name in found.files])


def test_no_picture_that_can_be_read(run, tmp_path):
    folder = damage(write_images(tmp_path / 'pictures', 2))
    with pytest.raises(ValueError, match='found none among 2 .000.png .*; copy or unpack'):
        embed(folder, run, tmp_path / 'f.npz')
    assert not (tmp_path / 'f.npz').exists()


@pytest.mark.parametrize('form', ['parquet', 'csv'])
def test_the_zoo(run, tmp_path, form):
    """Files of every kind and name; a name that is no text has no place in a file of text."""
    if form == 'parquet':
        pytest.importorskip('pyarrow')
    folder = tmp_path / 'zoo'
    zoo = {os.path.relpath(path, folder): want.outcome for path, want in write_zoo(folder).items()}
    done = embed(folder, run, tmp_path / f'f.{form}', batch=16)
    found = read_features(done.file)
    assert all(zoo[name] != 'skipped' for name in found.files if name in zoo)
    strange = [name for name, why in done.left_out.items() if 'not UTF-8' in why]
    assert strange and all('\\udc' in name for name in strange)
    read = [n for n, outcome in zoo.items() if outcome in ('read', 'converted') and n.isascii()]
    assert {*read} <= {*found.files} and len(read) > 50


# --------------------------------------------------------------------------------- wrong wishes


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(out='f.txt'), r"end in .parquet, .npz, .csv, found 'f.txt'"),
        (dict(block=4), 'a block from 1 to 3, found 4'),
        (dict(features=['all']), 'class, mean, patches, found all'),
        (dict(features=[]), 'class, mean, patches, found none'),
        (dict(batch=0), 'from 1 up for --batch, found 0'),
        (dict(processes=0), 'from 1 up for --processes, found 0'),
        (dict(mean=[0.5] * 3, std=[0.2] * 3), 'colours from 0 to 255, .* multiply them by 255'),
        (dict(mean=MEAN), '--mean and --std together, found one'),
        (dict(num_heads=5), 'heads that divides the width 24, found 5'),
        (dict(pictures='nowhere'), 'Expected a folder of pictures, found none'),
        (dict(start='nowhere'), 'Expected a checkpoint file, found nothing'),
    ],
)
def test_wrong_wishes_are_refused(pictures, run, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        embed(**{**dict(pictures=pictures, start=run, out='f.npz'), **options})
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_is_kept(pictures, run, tmp_path):
    out = tmp_path / 'f.npz'
    out.write_text('mine')
    with pytest.raises(ValueError, match='a new name to write to, .* or give --force'):
        embed(pictures, 'no run, which would be noticed later', out)
    assert out.read_text() == 'mine'
    assert embed(pictures, run, out, force=True).rows == 11
    with pytest.raises(ValueError, match='Expected to write .*npz/g.npz.parts.* another --out'):
        embed(pictures, run, out / 'g.npz')


def test_without_pyarrow(pictures, run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    with pytest.raises(ValueError, match=r'package pyarrow .* or take \.npz or \.csv'):
        embed(pictures, run, tmp_path / 'f.parquet')


def test_the_command(pictures, run, model, tmp_path, capsys):
    tool, out = load_tool('embed'), tmp_path / 'f.csv'
    tool.main([str(pictures), '--from', str(run), '--out', str(out), '--block', '1'])
    assert capsys.readouterr().out.splitlines()[-1] == f'11 rows in {out}: mean (24), after block 1'
    with open(out, newline='') as file:
        header, first, *_ = csv.reader(file)
    assert header == ['file', *(f'mean_{i}' for i in range(24))] and first[0] == '000.png'
    close(np.array(first[1:], np.float32), plain(model, pictures / '000.png', 1)['mean'])
    notes = json.loads((tmp_path / 'f.csv.json').read_text())
    assert notes['folder'] == str(pictures) and notes['checkpoint'] == str(run / 'epoch_10.pth')
    with pytest.raises(SystemExit) as stop:
        tool.main([str(pictures), '--from', str(run), '--out', str(out)])
    assert stop.value.code == 2 and 'give --force' in capsys.readouterr().err
