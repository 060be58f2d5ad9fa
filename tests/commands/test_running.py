"""From a command to a run: what is written when, what is told, and what ends it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from mmengine.config import Config

from bootmae_mm.commands import running, tools, training
from bootmae_mm.commands.labelled import common as labelled
from bootmae_mm.commands.labelled.fine_tuning import finetune
from bootmae_mm.commands.labelled.segmentation import segment
from bootmae_mm.commands.pretraining import pretrain
from bootmae_mm.preflight.planning.arithmetic import Measurement
from tests.helpers.data_cases import assert_one_sentence
from tests.helpers.images import write_images
from tests.helpers.paths import ROOT

RATE = 100.0  # pictures a second on each of two cores, half of it loading


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_images(tmp_path / 'pictures', 40)


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """Two cores that take 10 ms to train on a picture and 10 ms to load it; no doctor."""

    def measure(config: Path, batch: int) -> Measurement:
        Config.fromfile(config)
        return Measurement(
            {}, 'CPU', '2026-01-31', batch, [batch / RATE], 2 << 20, 1 << 20, RATE, 'here', 40
        )

    cores = running.Machine(0, '', 8 << 30, 2, 'float32')
    monkeypatch.setattr(running, 'this_machine', lambda: cores)
    monkeypatch.setattr(tools, 'measure', measure)
    monkeypatch.setattr(tools, 'diagnose', lambda config, processes, say: None)


def told(folder: Path, out: Path, **options) -> list[str]:
    """What a dry run says."""
    said = []
    pretrain(str(folder), str(out), said.append, dry_run=True, **options)
    return said


# Writing -----------------------------------------------------------------------------------------


def test_hours_become_epochs(folder, tmp_path):
    told(folder, tmp_path / 'run', hours=0.5)
    # 2 cores × 50 pictures a second × 1,800 s / 40 pictures
    assert Config.fromfile(tmp_path / 'run/config.py').max_epochs == 4500


def test_without_a_gpu_training_takes_an_hour_at_most(folder, tmp_path):
    told(folder, tmp_path / 'run')
    assert Config.fromfile(tmp_path / 'run/config.py').max_epochs == 800  # 5 minutes
    write_images(folder / 'more', 1000)
    told(folder, tmp_path / 'more')
    assert Config.fromfile(tmp_path / 'more/config.py').max_epochs == 100 * 3600 // 1040


def test_hours_that_are_not_enough_are_refused(folder, tmp_path):
    with pytest.raises(ValueError) as caught:
        told(folder, tmp_path / 'run', hours=0.0001)
    assert_one_sentence(caught.value, 'Expected hours for one epoch at least, found 0.0001')


def test_what_will_happen_is_told_in_ten_lines(folder, tmp_path):
    said = told(folder, tmp_path / 'run', epochs=100)
    assert len(said) == 10
    assert 'pictures   40 of about' in said[0]
    assert 'length     100 epochs × 1 = 100 steps of 32 pictures' in said[3]
    # 3,200 pictures at 100 a second
    assert 'time       about 32 seconds: 100 pictures a second on each of 2 × pro' in said[6]
    assert 'memory     about 0.002 of 4 GiB each, 16 pictures at a time' in said[7]


def test_the_same_command_goes_on_and_another_is_refused(folder, tmp_path):
    out = tmp_path / 'run'
    told(folder, out, epochs=3)
    config = out / 'config.py'
    config.write_text(config.read_text() + '# mine\n')
    said = told(folder, out, epochs=3)
    assert said == [f'config     {config} is there and taken as it stands']
    assert config.read_text().endswith('# mine\n')
    for options in (dict(epochs=4), dict(epochs=3, arch='tiny'), dict(hours=1)):
        with pytest.raises(ValueError) as caught:
            told(folder, out, **options)
        assert_one_sentence(caught.value, 'Expected a new folder or the command that began')


def test_a_folder_that_cannot_be_written_is_told(folder, tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(ValueError) as caught:
        told(folder, tmp_path / 'file/run')
    assert_one_sentence(caught.value, 'choose another --out')


def test_fewer_pictures_than_a_batch_and_a_single_one_work(tmp_path):
    for count in (1, 5):
        out = tmp_path / f'run{count}'
        told(write_images(tmp_path / f'{count}', count), out, epochs=2)
        cfg = Config.fromfile(out / 'config.py')
        assert cfg.total_batch_size == cfg.train_dataloader.sampler.total_batch_size
        assert cfg.total_batch_size == {1: 1, 5: 4}[count]
        assert cfg.train_dataloader.batch_size == {1: 1, 5: 2}[count]


def test_an_encoder_to_start_from_decides_size_and_input(folder, tmp_path):
    told(folder, tmp_path / 'first', epochs=2, size=(48, 64), patch=8)
    first = tmp_path / 'first'
    (first / '20260101_000000/vis_data').mkdir(parents=True)
    cfg = Config.fromfile(first / 'config.py')
    cfg.model.data_preprocessor.update(mean=[1, 2, 3], std=[4, 5, 6])
    cfg.dump(first / '20260101_000000/vis_data/config.py')
    with pytest.raises(ValueError, match='Expected a run with a checkpoint'):
        told(folder, tmp_path / 'second', start=str(first), epochs=2)
    for epoch in (9, 10):
        (first / f'epoch_{epoch}.pth').touch()
    told(folder, tmp_path / 'second', start=str(first), epochs=2)
    second = Config.fromfile(tmp_path / 'second/config.py')
    assert second.model.backbone.img_size == (48, 64)
    assert second.model.backbone.init_cfg.checkpoint == str(first / 'epoch_10.pth')
    assert second.model.data_preprocessor.mean == [1, 2, 3]
    with pytest.raises(ValueError) as caught:
        told(folder, tmp_path / 'third', start=str(first), patch=16)
    assert_one_sentence(caught.value, 'Expected patches of 8 pixels')
    with pytest.raises(ValueError) as caught:
        told(folder, tmp_path / 'third', start=str(first), arch='base')
    assert_one_sentence(caught.value, 'found mini')
    with pytest.raises(ValueError) as caught:
        told(folder, tmp_path / 'third', start=str(tmp_path / 'nowhere'))
    assert_one_sentence(caught.value, 'Expected the folder of a run or a checkpoint')


# Training ----------------------------------------------------------------------------------------

LINES = """\
2026/11/28 00:02:41 - mmengine - WARNING - "FileClient" will be deprecated in future.
2026/11/28 00:02:41 - mmengine - INFO - Epoch(train)   [3][ 50/100]  base_lr: 7e-05  eta: 0:01:00  \
time: 0.16  loss: 1.4  L_pixel: 1.2  L_feature: 0.2  feature_weight: 1.0
2026/11/28 00:02:42 - mmengine - INFO - Epoch(train)   [3][100/100]  eta: 0:00:50  loss: 1.3
2026/11/28 00:02:43 - mmengine - WARNING - Training waited 30% in epoch 3.
2026/11/28 00:02:44 - mmengine - WARNING - Training waited 40% in epoch 4.
2026/11/28 00:02:45 - mmengine - INFO - Epoch(val) [4][10/20]    eta: 0:00:01  time: 0.5
2026/11/28 00:02:45 - mmengine - INFO - Epoch(val) [4][20/20]    accuracy/top1: 20.9  data_time: 0
2026/11/28 00:02:46 - mmengine - ERROR - runner.py - f - 3 - bad
"""


def test_of_the_output_the_lines_that_matter_are_shown(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(training.time, 'monotonic', lambda: now[0])
    said = []
    digest = training.Digest(said.append)
    now[0] = 106.0
    for line in LINES.splitlines():
        digest(line)
        now[0] += 0.1
    assert said == [
        'epoch 3, 0:01:00 left: loss 1.4, L_pixel 1.2, L_feature 0.2',
        'warning: Training waited 30% in epoch 3.',
        'scores: accuracy/top1 20.9',
        'error: runner.py - f - 3 - bad',
    ]
    digest('INFO - Iter(train) [ 50/300]  lr: 1  eta: 0:02:00  loss: 1.2')
    assert len(said) == 4  # too soon
    now[0] += 5.0
    digest('INFO - Iter(train) [ 60/300]  lr: 1  eta: 0:02:00  loss: 1.2')
    assert said[-1] == 'iteration 60, 0:02:00 left: loss 1.2'


def program(monkeypatch, code: str) -> None:
    monkeypatch.setattr(training, 'training_command', lambda *_: [sys.executable, '-c', code])


def test_a_run_that_fails_shows_its_last_words(tmp_path, monkeypatch):
    program(monkeypatch, 'print("a reason"); raise SystemExit(3)')
    said = []
    with pytest.raises(RuntimeError, match='ended with status 3'):
        training.train(tmp_path / 'config.py', 1, said.append)
    assert said[-1] == 'a reason'
    assert (tmp_path / 'printed.txt').read_text() == 'a reason\n'


WAITS = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(99))
print('ready', flush=True)
time.sleep(60)
"""


def test_a_signal_is_passed_on_and_the_run_s_status_returned(tmp_path, monkeypatch):
    program(monkeypatch, WAITS)

    def stop() -> None:
        while 'ready' not in (tmp_path / 'printed.txt').read_text():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    (tmp_path / 'printed.txt').touch()
    before = signal.getsignal(signal.SIGTERM)
    threading.Thread(target=stop).start()
    assert training.train(tmp_path / 'config.py', 1, lambda line: None) == 99
    assert signal.getsignal(signal.SIGTERM) == before


def test_training_in_another_thread_leaves_signals_alone(tmp_path, monkeypatch):
    program(monkeypatch, 'print("done")')
    found = []
    thread = threading.Thread(
        target=lambda: found.append(training.train(tmp_path / 'c.py', 1, lambda line: None))
    )
    thread.start()
    thread.join()
    assert found == [0]


def test_the_scores_are_those_of_the_last_validation(tmp_path):
    assert training.scores(tmp_path) == {}
    for start, scores in (('20260101_000000', (1, 2)), ('20260102_000000', (3, 4))):
        (tmp_path / start / 'vis_data').mkdir(parents=True)
        rows = [dict(iter=1, step=1, loss=9.0)]
        rows += [{'accuracy/top1': score, 'data_time': 0.1, 'step': 1} for score in scores]
        text = '\n'.join(map(json.dumps, rows))
        (tmp_path / start / 'vis_data/scalars.json').write_text(text)
    assert training.scores(tmp_path) == {'accuracy/top1': 4}
    (tmp_path / '20260103_000000/vis_data').mkdir(parents=True)  # it was over already
    (tmp_path / '20260103_000000/vis_data/scalars.json').touch()
    assert training.scores(tmp_path) == {'accuracy/top1': 4}


def test_a_missing_toolbox_is_named(monkeypatch):
    monkeypatch.setattr(labelled, 'find_spec', lambda name: None if name == 'mmseg' else name)
    with pytest.raises(ValueError) as caught:
        labelled.require_toolbox('mmseg', 'mmsegmentation')
    assert_one_sentence(caught.value, 'found no mmsegmentation; install them: make setup')
    labelled.require_toolbox('mmdet', 'mmdetection')
    monkeypatch.setattr(labelled, 'find_spec', lambda name: None if name == 'mmcv._ext' else name)
    with pytest.raises(ValueError, match="found no mmcv's operators"):
        labelled.require_toolbox('mmdet', 'mmdetection')


def test_a_script_of_the_tools_finds_this_python_and_this_package(tmp_path):
    """Also where neither is the one that the shell would take."""
    code = 'import bootmae_mm, sys; print(sys.prefix, bootmae_mm.__file__)'
    done = subprocess.run(
        ['bash', '-c', f'python -c "{code}"'],
        env=tools.environment(), cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = [Path(path).resolve() for path in done.stdout.split()]
    assert found == [Path(sys.prefix).resolve(), ROOT / 'bootmae_mm/__init__.py']


# The tools ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'line, words',
    [
        ('pretrain nowhere', 'Expected a folder of pictures, found none'),
        ('pretrain PICTURES --size 10by10', "found '10by10'"),
        ('pretrain PICTURES --epochs 0', "expected a number above 0, found '0'"),
        ('pretrain PICTURES --epochs 1 --hours 1', 'not allowed with'),
        ('finetune PICTURES', 'required: --from'),
        ('segment PICTURES --from nowhere', 'Expected the folder of a run or a checkpoint'),
        ('detect PICTURES --from x --no-label 0', 'unrecognized arguments'),
    ],
)
def test_wrong_command_lines_end_in_a_sentence(line, words, folder, tmp_path):
    arguments = line.replace('PICTURES', str(folder)).split()
    done = subprocess.run(
        [sys.executable, '-m', 'bootmae_mm', *arguments],
        cwd=tmp_path, env={**os.environ, 'PYTHONPATH': str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]


def test_the_default_folder_of_a_run_is_beside_the_one_it_starts_from(monkeypatch):
    asked = []
    monkeypatch.setattr(labelled, 'run', lambda wish, *_: asked.append(wish))
    segment('scenes', 'runs/a', no_label=0)  # which equals False
    assert asked.pop().options == {'from': 'runs/a', 'no-label': 0}
    finetune('classes', 'runs/a', epochs=3, hours=None)
    finetune('classes', 'runs/a/epoch_3.pth', out='there', scratch=False)
    finetune('classes', 'runs/a', scratch=True)
    assert [wish.command() for wish in asked] == [
        'python -m bootmae_mm finetune classes --from runs/a --epochs 3 --out runs/a_finetune',
        'python -m bootmae_mm finetune classes --from runs/a/epoch_3.pth --out there',
        'python -m bootmae_mm finetune classes --from runs/a --scratch --out '
        'runs/a_finetune_scratch',
    ]
