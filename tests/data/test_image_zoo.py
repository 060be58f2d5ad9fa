"""Hundreds of broken, odd and hostile image files: what becomes of each, alone and in a run."""

import os
import re
import signal
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from mmengine.hooks import Hook
from PIL import Image, ImageFile

from bootmae_mm.data import loading
from bootmae_mm.data.loading import read_image
from bootmae_mm.data.reading import FORMATS, UnreadableImage
from bootmae_mm.data.search import find_images
from bootmae_mm.data.unreadable import conversion
from bootmae_mm.engine.build import build_runner
from bootmae_mm.monitors.image_report import on_one_line
from tests.helpers.image_bytes import TOLERANCE, Specimen, encoded
from tests.helpers.image_zoo import GROUPS, write_zoo
from tests.helpers.images import write_images
from tests.helpers.mixed_folders import report_rows
from tests.helpers.runs import run_config

pytestmark = [
    pytest.mark.filterwarnings('ignore:Corrupt EXIF data'),
    pytest.mark.filterwarnings('ignore:Truncated File Read'),
    pytest.mark.filterwarnings('ignore:Image size'),  # a large picture, not yet a bomb
]
BATCH = 20


@pytest.fixture(autouse=True, scope='module')
def alarm():
    """Whoever waits for a pipe waits for ever."""

    def ring(*args):
        raise TimeoutError('Reading a file takes for ever.')

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(600)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope='module')
def zoo(tmp_path_factory) -> tuple[Path, dict[str, Specimen]]:
    folder = tmp_path_factory.mktemp('zoo') / 'images'
    return folder, write_zoo(folder)


def look_at(path: str) -> tuple[str, str, np.ndarray | None]:
    """What becomes of a file: outcome, reason or note, and its pixels."""
    try:
        rgb, mode = read_image(path)
    except UnreadableImage as reason:
        return 'skipped', str(reason), None
    note = conversion(dict(image_mode=mode, ori_shape=rgb.shape[:2]))
    return ('converted' if note else 'read'), note, rgb


def is_told(why: str, expected: Specimen) -> bool:
    """Whether a note or reason is the one expected."""
    if expected.outcome == 'skipped':
        return bool(re.search(expected.why, why))
    return expected.outcome == 'either' or why == expected.why


def differences(path: str, expected: Specimen) -> list[str]:
    """What is not as expected of a file."""
    outcome, why, rgb = look_at(path)
    found = []
    if expected.outcome != 'either' and outcome != expected.outcome:
        found.append(f'{outcome} ({why}), not {expected.outcome}')
    elif not is_told(why, expected):
        found.append(f'{why}, not {expected.why}')
    if expected.pixels is not None and rgb is not None:
        if rgb.shape != expected.pixels.shape:
            found.append(f'shape {rgb.shape}, not {expected.pixels.shape}')
        elif np.abs(rgb.astype(int) - expected.pixels).mean() > TOLERANCE:
            found.append('another picture')
    return [f'{path!r}: {text}' for text in found]


def test_the_zoo_is_large_and_every_file_is_found(zoo):
    folder, specimens = zoo
    assert len(specimens) >= 300
    found = [os.path.join(folder, path) for path in find_images(str(folder))]
    assert sorted(found) == sorted(specimens)
    outcomes = Counter(specimen.outcome for specimen in specimens.values())
    assert outcomes['skipped'] > 100 and outcomes['read'] > 90 and outcomes['converted'] > 25
    assert outcomes['either'] == 60, 'no more than the random flips'


@pytest.mark.parametrize('group', [group.__name__ for group in GROUPS])
def test_every_file_becomes_what_it_should(zoo, group):
    specimens = {p: s for p, s in zoo[1].items() if Path(p).parent.name == group}
    assert specimens
    assert [text for path, s in specimens.items() for text in differences(path, s)] == []


def test_bombs_are_refused_before_anything_is_decoded(zoo, monkeypatch):
    """So they never take memory: these are 30,000 × 30,000 pixels and 4 GiB."""

    def decode(*args):
        raise AssertionError('decodes')

    monkeypatch.setattr(ImageFile.ImageFile, 'load', decode)
    monkeypatch.setattr(loading, 'decode_jpeg', decode)
    bombs = {p: s for p, s in zoo[1].items() if s.kind == 'decompression bomb'}
    assert len(bombs) == 13
    for path, specimen in bombs.items():
        assert re.search(specimen.why, look_at(path)[1]), path


def test_only_decoders_inside_pillow_are_started():
    """EPS, which Pillow hands to Ghostscript, is not among the formats."""
    assert {'EPS', 'WMF', 'TGA', 'PSD', 'MPEG'}.isdisjoint(FORMATS)
    Image.init()
    assert set(FORMATS) <= set(Image.OPEN)


def test_a_file_without_rights(tmp_path):
    """By the system's own refusal, also where the tests run as root, whom it does not stop."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = Path(folder) / 'a.jpg'
        path.write_bytes(encoded('JPEG'))
        path.chmod(0)
        if user == 0:
            os.seteuid(65534)
        try:
            outcome, why, _ = look_at(str(path))
        finally:
            os.seteuid(user)
    assert outcome == 'skipped'
    assert why.startswith('PermissionError: [Errno 13] Permission denied')


class Spoil(Hook):
    """After the first epoch one file vanishes and another is cut off."""

    def __init__(self, gone: Path, cut: Path):
        self.gone, self.cut, self.sizes = gone, cut, []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.sizes.append(len(data_batch['inputs']))

    def after_train_epoch(self, runner):
        if runner.epoch == 0:
            self.gone.unlink()
            os.truncate(self.cut, self.cut.stat().st_size // 2)


@pytest.fixture(scope='module')
def run(zoo, tmp_path_factory) -> tuple[Path, dict[str, Specimen], Spoil]:
    """Two epochs with two workers over the zoo and good images."""
    folder, specimens = zoo
    work_dir = tmp_path_factory.mktemp('zoo') / 'run'
    good = write_images(folder / 'plain', 4 * BATCH - len(specimens) % BATCH)
    spoil = Spoil(good / '000.png', good / '001.png')
    cfg = run_config(folder, work_dir, total=BATCH, batch=BATCH)
    cfg.train_dataloader.update(num_workers=2, persistent_workers=True)
    cfg.default_hooks.logger.interval = 3
    cfg.custom_hooks.image_report.limit = 1
    runner = build_runner(cfg)
    runner.register_hook(spoil)
    runner.train()
    later = {
        str(spoil.gone): Specimen('vanished', 'skipped', 'FileNotFoundError'),
        str(spoil.cut): Specimen('cut off', 'skipped', 'truncated'),
    }
    return work_dir, {**specimens, **later}, spoil


class TestRun:
    def test_it_keeps_its_batches_to_the_end(self, run):
        assert run[2].sizes == [BATCH] * len(run[2].sizes)
        files = run[2].gone.parent.parent
        num_files = 1 + len(find_images(str(files)))
        assert len(run[2].sizes) * BATCH == 2 * num_files

    def test_every_file_is_listed_once_with_its_reason(self, run):
        work_dir, specimens, _ = run
        listed = {path: (what, why) for what, path, why in report_rows(work_dir)}
        assert len(listed) == len(report_rows(work_dir))
        for path, specimen in specimens.items():
            what, why = listed.pop(on_one_line(path), ('read', ''))
            if specimen.outcome != 'either':
                assert what == specimen.outcome, path
            assert is_told(why, specimen), path
        assert listed == {}

    def test_the_log_counts_them(self, run):
        work_dir, _, spoil = run
        (log,) = work_dir.rglob('*.log')
        first, second = [line for line in log.read_text().splitlines() if 'Images in epoch' in line]
        skipped = sum(what == 'skipped' for what, _, _ in report_rows(work_dir))
        assert f'Images in epoch 1: {skipped - 2} unreadable files skipped' in first
        assert 'Images in epoch 2: 2 unreadable files skipped (' in second
        assert f'{spoil.gone}' in second and f'{spoil.cut}' in second
