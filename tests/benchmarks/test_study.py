"""The study on a GPU, at tiny size on a few drawn pictures."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from tests.helpers.paths import ROOT

sys.path[:0] = [str(ROOT / 'benchmarks'), str(ROOT / 'benchmarks/gpu_suite')]

import study  # noqa: E402


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    """Two classes of noise about another mean, 64 pixels, as JPEG."""
    folder, rng = tmp_path_factory.mktemp('photographs'), np.random.default_rng(0)
    for split in ('train', 'val'):
        for name, mean in dict(dark=60, light=190).items():
            place = folder / split / name
            place.mkdir(parents=True)
            for number in range(12):
                noise = rng.integers(-50, 50, (64, 64, 3)) + mean
                Image.fromarray(noise.astype(np.uint8)).save(place / f'{number}.JPEG')
    return folder


def rows_of(out):
    return [json.loads(line) for line in (out / 'epochs.jsonl').read_text().splitlines()]


def test_both_methods_are_trained_probed_and_fine_tuned(pictures, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(study, 'seconds_of_an_epoch', lambda cfg, run, out: 1.0)
    monkeypatch.setattr(study, 'OVERRUN', float('inf'))
    arguments = ['--images', str(pictures), '--out', str(tmp_path), '--minutes', '0', '--tiny']
    assert study.main(arguments) == 0
    tables = json.loads((tmp_path / 'study.json').read_text())['sections']
    encoders = {row['encoder']: row for row in tables['Encoders']}
    assert list(encoders) == ['random', 'MAE', 'BootMAE', 'BootMAE, teacher']
    # 24 pictures in batches of 8, no time left: the least, two epochs.
    for method in study.METHODS:
        row = encoders[method]
        assert (row['steps'], row['images'], row['epochs']) == (6, 48, '2 of 2')
    # The means tell the classes apart, whatever the encoder.
    assert all(row['linear, %'] == 100 for row in encoders.values())
    assert all(encoders[start]['fine-tuned, %'] >= 50 for start in ('random', 'MAE', 'BootMAE'))
    assert [len(row) - 1 for row in tables['Linear classifier of every block, %']] == [3] * 4
    assert [row['run'] for row in tables['Losses']] == ['MAE'] * 2 + ['BootMAE'] * 2
    assert [row['epoch'] for row in tables['Losses']] == [1, 2] * 2
    assert tables['Failures'] == []
    runs = {row['run']: row for row in rows_of(tmp_path)}
    assert runs['MAE']['L_pixel'] > 0 and 'L_feature' not in runs['MAE']
    assert runs['BootMAE']['L_feature'] > 0
    assert '[5/5] fine-tuning' in capsys.readouterr().out


def test_schedules_are_those_of_the_epochs(pictures):
    for method in study.METHODS:
        cfg = study.pretraining(method, pictures, study.FULL, 40)
        assert cfg.train_cfg.max_epochs == cfg.param_scheduler[1].end == 40
        assert cfg.param_scheduler[0].end == cfg.param_scheduler[1].begin == 4
        masks = cfg.train_dataloader.dataset.pipeline[2]
        assert (masks.grid, masks.num_masked) == (8, 48)
    assert cfg.custom_hooks.teacher.milestones == [(0, 0.99), (20, 0.999)]
    assert cfg.custom_hooks.feature_weight.ramp == 1.0
    assert cfg.param_scheduler[1].eta_min == pytest.approx(study.LEARNING_RATE / 24)


def test_an_epoch_is_timed_without_the_first(pictures, tmp_path, monkeypatch):
    rows = [dict(seconds=seconds) for seconds in (9.0, 11.0, 14.0)]
    monkeypatch.setattr(study, 'finished', lambda cfg, run, out: (None, rows))
    assert study.seconds_of_an_epoch(None, 'MAE', tmp_path) == 2.5


def test_a_run_ends_after_its_time(pictures, tmp_path):
    cfg = study.pretraining('MAE', pictures, study.TINY, 5)
    cfg.work_dir = str(tmp_path)
    _, rows = study.finished(cfg, 'MAE', tmp_path, limit=0)
    assert [row['epoch'] for row in rows] == [1]
    assert rows == rows_of(tmp_path)


def test_a_step_that_fails_is_reported_and_the_others_are_tried(pictures, tmp_path, monkeypatch):
    tried = []

    def pretrain(self, method, seconds):
        tried.append(method)
        if method == 'MAE':
            raise RuntimeError('no kernel')

    monkeypatch.setattr(study.Study, 'pretrain', pretrain)
    for step in ('measure_epochs', 'fine_tune'):
        monkeypatch.setattr(study.Study, step, lambda self: None)
    arguments = ['--images', str(pictures), '--out', str(tmp_path), '--minutes', '0', '--tiny']
    assert study.main(arguments) == 1
    assert tried == ['MAE', 'BootMAE']
    tables = json.loads((tmp_path / 'study.json').read_text())['sections']
    assert tables['Failures'] == [dict(stage='MAE', error='RuntimeError: no kernel')]


@pytest.mark.parametrize(
    'free, workers, each', [(2**36, 14, 2), (64 * 2**20, 6, 1), (0, 1, 1)]
)  # fmt: skip
def test_shared_memory_has_room_for_what_workers_hold(monkeypatch, free, workers, each):
    monkeypatch.setattr(study.torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(study.os, 'sched_getaffinity', lambda pid: set(range(16)))
    monkeypatch.setattr(study.shutil, 'disk_usage', lambda path: type('Usage', (), dict(free=free)))
    found = study.loader_settings(512)
    assert (found['num_workers'], found['prefetch_factor']) == (workers, each)
