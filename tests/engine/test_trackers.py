"""What a run logs arrives at the trackers: read back from their files."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from bootmae_mm.engine import trackers
from bootmae_mm.engine.build import build_runner
from bootmae_mm.engine.trackers import use_trackers
from bootmae_mm.reports.run.scalars import read_scalars
from tests.helpers.data_cases import assert_one_sentence
from tests.helpers.images import write_images
from tests.helpers.runs import run_config

EPOCHS = 2


def tracked(tmp_path: Path, name: str) -> tuple[Path, list[float]]:
    """The folder of a run's start, and the losses in its own log."""
    if find_spec(trackers.TRACKERS[name][1]) is None:
        pytest.skip(f'{name} is not installed')
    cfg = run_config(write_images(tmp_path / 'images', 18), tmp_path / 'run', epochs=EPOCHS)
    cfg.custom_hooks.pictures.interval = 1
    use_trackers(cfg, [name])
    use_trackers(cfg, [name])  # again is no other one
    assert len(cfg.visualizer.vis_backends) == 2
    runner = build_runner(cfg)
    runner.train()
    (folder,) = (tmp_path / 'run').glob('*/vis_data')
    rows = read_scalars(folder / 'scalars.json').training
    return folder, [row.values['L_pixel'] for row in rows]


def test_tensorboard(tmp_path):
    folder, losses = tracked(tmp_path, 'tensorboard')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    found = events.Scalars('L_pixel')
    assert [event.value for event in found] == pytest.approx(losses)
    assert [event.step for event in found] == [*range(1, 1 + len(losses))]


def test_mlflow(tmp_path, monkeypatch):
    monkeypatch.setenv('MLFLOW_ALLOW_FILE_STORE', 'true')
    folder, losses = tracked(tmp_path, 'mlflow')
    (file,) = folder.rglob('metrics/L_pixel')
    rows = [line.split() for line in file.read_text().splitlines()]
    assert [float(row[1]) for row in rows] == pytest.approx(losses)
    assert [int(row[2]) for row in rows] == [*range(1, 1 + len(losses))]
    names = sorted(path.name for path in folder.glob('*/*/artifacts/*.png'))
    assert names[:2] == ['cosine_4.png', 'cosine_8.png']
    assert len([*folder.rglob('meta.yaml')]) == 2  # of the experiment and the run


def test_wandb_without_network(tmp_path, monkeypatch):
    monkeypatch.setenv('WANDB_MODE', 'offline')
    folder, losses = tracked(tmp_path, 'wandb')
    (kept,) = folder.rglob('*.wandb')
    for loss in losses:
        assert f'{loss:.12g}'[:-1].encode() in kept.read_bytes()


def test_a_tracker_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(trackers, 'find_spec', lambda name: None)
    with pytest.raises(ValueError) as caught:
        use_trackers(run_config(tmp_path, tmp_path / 'run'), ['wandb'])
    assert_one_sentence(caught.value, 'install it: pip install wandb')
