"""The ledger: what a run is, what it wrote, what its record keeps, and the tables made of that."""

import itertools
import json
import os
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from bootmae_mm.engine.hooks import hook_list
from bootmae_mm.pretrain.schedules import teacher_decay
from bootmae_mm.reports.run import scalars
from bootmae_mm.studies.reproduction import (
    beyond,
    catalogue,
    cells,
    figures,
    launching,
    logs,
    pages,
    paper,
    photographs,
    planning,
    records,
    scripts,
    tables,
)
from bootmae_mm.studies.reproduction.cells import BOX, SECONDS, TOP1, Row, Score, Table
from bootmae_mm.studies.reproduction.reduced import reduced_config
from bootmae_mm.studies.reproduction.runs import (
    CARD,
    FULL,
    PHOTOS,
    SIZES,
    TEMPLATES,
    Paths,
    Run,
)
from tests.helpers.labelled_data import load_tool
from tests.helpers.paths import ROOT
from tests.helpers.run_folders import validation_row
from tests.helpers.shell import CHILD_ENDS_FIRST

FINETUNE = 'finetune/bootmae_vitb_finetune_100e'
MAE_FINETUNE = 'finetune/baselines/mae_vitb_finetune_100e'
DINO = 'checkpoints/dino_vitb_300e.pth'
DEFAULT = Run(FINETUNE, start='pretrain/bootmae_vitb_300e')
PRETRAINING = Run('pretrain/bootmae_vitb_300e')


@pytest.fixture
def paths(tmp_path) -> Paths:
    return Paths(ROOT / 'configs', tmp_path / 'work_dirs', tmp_path / 'results')


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch) -> None:
    """A working directory without photographs, whatever lies in the checkout."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def classes(elsewhere) -> None:
    """A working directory with photographs of three classes."""
    train = photographs.PLACE / 'imagenet/train'
    for name in ('cat', 'dog', 'owl'):
        (train / name).mkdir(parents=True)
    (train / 'list.txt').touch()


def write_run(
    folder: Path, lines: list[dict], begin: str = '20261124_100000', gpus: int = 1
) -> None:
    """A start of a run as mmengine writes it: 90 seconds long."""
    (folder / begin / 'vis_data').mkdir(parents=True)
    text = '\n'.join(json.dumps(line) for line in lines)
    (folder / begin / 'vis_data/scalars.json').write_text(text + '\n')
    (folder / begin / f'{begin}.log').write_text(
        '2026/11/24 10:00:00 - mmengine - INFO - \nSystem environment:\n'
        f'    Python: 3.11.7 (main)\n    PyTorch: 2.10.0+cu128\n    GPU number: {gpus}\n'
        'a line without a time\n'
        '2026/11/24 10:01:30 - mmengine - INFO - end\n'
    )


def trained(steps: int) -> list[dict]:
    return [
        dict(lr=0.1, loss=1.0, time=1.0 if s < 5 else 0.2 + s / 1000, iter=s, step=s)
        for s in range(steps)
    ]


def evaluated(step: int, top1: float) -> dict:
    return validation_row(step, **{'accuracy/top1': top1})


# ---------------------------------------------------------------------------------------------
# Runs and what they wrote


def test_a_run_has_its_place_and_its_origin(paths):
    assert DEFAULT.work_dir(paths) == paths.work / 'bootmae_vitb_300e_finetune_100e'
    assert DEFAULT._replace(seed=2).work_dir(paths).name.endswith('_100e_seed2')
    assert DEFAULT.origins(paths) == [PRETRAINING]
    assert PRETRAINING.checkpoint(paths) == paths.work / 'bootmae_vitb_300e/epoch_300.pth'
    small = Run('pretrain/mae/mae_vitb_300e_feature_block', PHOTOS, 1)
    [teacher] = small.origins(paths)
    assert teacher == Run('pretrain/mae/mae_vitb_800e', PHOTOS, 1)
    assert teacher.checkpoint(paths) == paths.work / 'photos/mae_vitb_800e_seed1/epoch_8.pth'


@pytest.mark.parametrize(
    ('run', 'name'),
    [
        (Run(FINETUNE), 'bootmae_vitb_finetune_100e'),
        (
            Run(FINETUNE, start='pretrain/ablations/bootmae_vitb_300e_depth_4'),
            'bootmae_vitb_300e_depth_4_finetune_100e',
        ),
        (
            Run('linear/bootmae_vitl_linear_50e', start='pretrain/bootmae_vitl_300e'),
            'bootmae_vitl_300e_linear_50e',
        ),
        (Run(MAE_FINETUNE, start=DINO), 'dino_vitb_300e_finetune_100e'),
        (
            Run('seg/upernet_bootmae_vitb_160k', start='pretrain/bootmae_vitb_300e'),
            'bootmae_vitb_300e_upernet_160k',
        ),
        (
            Run('det/mask_rcnn_bootmae_vitb_1x', start='checkpoints/mocov3_vitb_300e.pth'),
            'mocov3_vitb_300e_mask_rcnn_1x',
        ),
    ],
)
def test_a_run_is_named_after_its_start_and_its_recipe(run, name):
    """As the work directories and records that are there already."""
    assert run.name == name


def test_no_two_runs_have_the_same_name(paths):
    runs = {run for table in catalogue.TABLES.values() for run in table.runs}
    runs |= {run for found in runs for run in found.origins(paths)}
    assert len({run.name for run in runs}) == len(runs)


def test_every_record_that_is_kept_counts():
    kept = records.read_records(Paths(ROOT / 'configs', results=ROOT / 'results'))
    assert len(kept) == len(list((ROOT / 'results').glob('*/*.json'))) > 40


def test_a_run_is_done_at_its_last_evaluation(paths):
    folder = DEFAULT.work_dir(paths)
    assert logs.state(DEFAULT, paths) == logs.NOT_RUN
    write_run(folder, [*trained(3), evaluated(99, 70.0)])
    assert logs.state(DEFAULT, paths) == logs.STOPPED
    write_run(folder, [evaluated(100, 83.5)], '20261124_110000')
    assert logs.state(DEFAULT, paths) == logs.DONE
    assert logs.last_score(logs.rows(folder), TOP1) == 83.5


def test_a_logged_step_is_no_evaluation(paths):
    """300 steps of a run of 100 epochs."""
    write_run(DEFAULT.work_dir(paths), trained(300))
    assert logs.state(DEFAULT, paths) == logs.STOPPED


@pytest.mark.parametrize(
    ('names', 'expected'),
    [
        (['accuracy/top1'], 30.0),
        (['accuracy/block_5/top1', 'accuracy/block_6/top1'], 30.0),
        (['accuracy/block_10/top1', 'accuracy/block_5/top1'], 30.0),  # of 12 blocks
        (['accuracy/block_10_labels_0.1/top1'], None),
    ],
)
def test_a_linear_score_is_that_of_block_10_of_12(names, expected):
    values = dict(zip(names, (30.0, 20.0), strict=False))
    assert logs.last_score([scalars.Row('val', 1, values)], cells.LINEAR) == expected


def test_a_pretraining_is_done_when_its_last_checkpoint_is_there(paths):
    folder = PRETRAINING.work_dir(paths)
    write_run(folder, trained(3))
    assert logs.state(PRETRAINING, paths) == logs.STOPPED
    (folder / 'epoch_300.pth').touch()
    assert logs.state(PRETRAINING, paths) == logs.DONE


def test_a_line_that_was_cut_off_is_left_out(paths):
    folder = DEFAULT.work_dir(paths)
    write_run(folder, [evaluated(99, 70.0)])
    file = folder / '20261124_100000/vis_data/scalars.json'
    file.write_text(file.read_text() + '{"accuracy/top1": 99')
    assert logs.last_score(logs.rows(folder), TOP1) == 70.0


def test_the_time_of_an_iteration_is_the_median_without_the_start():
    times = [9.0, 9.0, 9.0, 9.0, 9.0, 0.5, 0.1, 0.3, 0.2, 0.7, 0.6]
    rows = [logs.Row('train', 1, dict(time=time)) for time in times]
    evaluation = logs.Row('val', 1, {'coco/bbox_mAP': 0.485, 'time': 9.0})
    assert logs.score([*rows, evaluation], SECONDS) == pytest.approx((0.3 + 0.5) / 2)
    assert logs.score(rows[:5], SECONDS) is None
    assert logs.last_score([evaluation], BOX) == pytest.approx(48.5)


def write_usage(folder: Path, used: list[dict[str, float]]) -> None:
    (folder / 'usage.jsonl').write_text(''.join(f'{json.dumps(start)}\n' for start in used))


def test_a_start_that_was_killed_with_its_launcher_counts_by_its_log(paths):
    """Two starts of 90 seconds each by their logs; one of them was counted, with 95 and 36."""
    folder = DEFAULT.work_dir(paths)
    for start in ('20261124_100000', '20261124_110000'):
        write_run(folder, [*trained(20), evaluated(100, 83.9)], start)
    write_usage(folder, [dict(seconds=95, cpu_seconds=36)])
    record = records.write_record(DEFAULT, launching.record_path(DEFAULT, paths), paths)
    assert record['cpu_hours'] == pytest.approx((36 + 180 - 95) / 3600, abs=1e-4)


def test_a_record_keeps_scores_time_and_versions(paths):
    folder = DEFAULT.work_dir(paths)
    write_run(folder, [*trained(20), evaluated(100, 83.9)], gpus=8)
    write_run(folder, [evaluated(100, 84.1)], '20261124_110000', gpus=4)
    used = [dict(seconds=95, cpu_seconds=36), dict(seconds=96, cpu_seconds=72)]
    write_usage(folder, used)
    (folder / 'last_checkpoint').write_text('somewhere/epoch_100.pth')
    path = launching.record_path(DEFAULT, paths)
    record = records.write_record(DEFAULT, path, paths)
    assert record['scores'] == {'fine-tuned': 84.1}
    assert record['hours'] == pytest.approx(180 / 3600)
    assert record['device_hours'] == pytest.approx(90 * (8 + 4) / 3600)
    assert record['cpu_hours'] == pytest.approx(108 / 3600)
    assert record['versions'] == {'Python': '3.11.7', 'torch': '2.10.0+cu128', 'device': 'CPU'}
    assert record['checkpoint'] == 'somewhere/epoch_100.pth'
    assert record['starts'] == [str(PRETRAINING.checkpoint(paths))]
    assert records.read_records(paths) == {DEFAULT: record}
    path.rename(path.parent / 'unknown_seed0.json')
    assert records.read_records(paths) == {}


@pytest.mark.parametrize('numbers', ['0', '0,1,2,3,4,5,6,7'])
def test_a_record_names_the_device(tmp_path, numbers):
    """mmengine lists GPUs that are alike in one line."""
    (tmp_path / 't').mkdir()
    (tmp_path / 't/t.log').write_text(
        '2026/11/24 10:00:00 - mmengine - INFO - \nSystem environment:\n'
        f'    GPU {numbers}: NVIDIA A100-SXM4-80GB\n    CUDA_HOME: None\n    GPU number: 8\n'
    )
    assert logs.versions(tmp_path) == {'device': 'NVIDIA A100-SXM4-80GB'}
    assert logs.sessions(tmp_path)[0].processes == 8


# ---------------------------------------------------------------------------------------------
# What to run


def test_what_is_missing_comes_after_what_it_starts_from(paths):
    ablation = Run(MAE_FINETUNE, start='pretrain/mae/mae_vitb_300e_feature_block')
    order = launching.missing([ablation, DEFAULT], paths)
    assert order == [
        Run('pretrain/mae/mae_vitb_800e'),
        Run('pretrain/mae/mae_vitb_300e_feature_block'),
        ablation,
        PRETRAINING,
        DEFAULT,
    ]
    write_run(PRETRAINING.work_dir(paths), trained(1))
    (PRETRAINING.work_dir(paths) / 'epoch_300.pth').touch()
    assert launching.missing([DEFAULT], paths) == [DEFAULT]
    path = launching.record_path(DEFAULT, paths)
    path.parent.mkdir(parents=True)
    path.write_text('{}')
    assert launching.missing([DEFAULT], paths) == []


def test_a_record_from_elsewhere_is_no_checkpoint_to_start_from(paths):
    """Table 5 wants the time of a pretraining, too, whose record may be of another machine."""
    path = launching.record_path(PRETRAINING, paths)
    path.parent.mkdir(parents=True)
    path.write_text('{}')
    assert launching.missing([PRETRAINING], paths) == []
    assert launching.missing([DEFAULT], paths) == [PRETRAINING, DEFAULT]
    assert launching.missing([PRETRAINING, DEFAULT], paths) == [PRETRAINING, DEFAULT]


def test_a_command_names_seed_and_origin(paths):
    run = DEFAULT._replace(seed=1)
    command = launching.command(run, paths, 4)
    assert command[1:4] == [
        str(ROOT / 'tools/dist_train.sh'), str(ROOT / f'configs/{DEFAULT.config}.py'), '4',
    ]  # fmt: skip
    origin = paths.work / 'bootmae_vitb_300e_seed1/epoch_300.pth'
    assert command[-2:] == [
        'randomness.seed=1', f'model.backbone.init_cfg.checkpoint={origin}',
    ]  # fmt: skip
    named = launching.command(Run(FINETUNE), paths, 4)[-1]
    assert named.endswith(f'init_cfg.checkpoint={paths.work}/bootmae_vitb_800e/epoch_800.pth')
    other = launching.command(Run(MAE_FINETUNE, start=DINO), paths, 4)[-1]
    assert other == f'model.backbone.init_cfg.checkpoint={DINO}'
    scratch = Run('det/baselines/scratch_vitb_mask_rcnn_1x')
    assert '--cfg-options' not in launching.command(scratch, paths, 4)
    frozen = Run('pretrain/mae/mae_vitb_300e_feature_block', seed=1)
    assert launching.command(frozen, paths, 4)[-1].startswith('model.teacher.checkpoint=')


TRAINING = """
import json, pathlib, sys
folder, config, fails = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
(folder / 't/vis_data').mkdir(parents=True, exist_ok=True)
(folder / 't/t.log').write_text('2026/11/24 10:00:00 - mmengine - INFO - \\n')
if fails in config:
    sys.exit(3)
for n in range(20):
    (folder / f'epoch_{n}.pth').touch()
steps = [dict(step=n, data_time=0.1, **{'accuracy/top1': 50.0 + n}) for n in (15, 16)]
(folder / 't/vis_data/scalars.json').write_text('\\n'.join(map(json.dumps, steps)))
with open(folder.parent / 'order.txt', 'a') as order:
    order.write(config + '\\n')
"""


@pytest.mark.parametrize('fails', ['nothing', 'pretrain'])
def test_runs_are_launched_in_order_and_recorded(paths, classes, tmp_path, monkeypatch, fails):
    """With a program in place of training; a run whose origin failed is not started."""
    script = tmp_path / 'training.py'
    script.write_text(TRAINING)
    monkeypatch.setattr(
        launching,
        'command',
        lambda run, paths, gpus: [
            sys.executable,
            str(script),
            str(run.work_dir(paths)),
            run.config,
            fails,
        ],  # fmt: skip
    )
    wanted = DEFAULT._replace(budget=PHOTOS)
    said = []
    left = launching.run_missing([wanted], paths, 2, 1, float('inf'), said.append)
    order = paths.work / 'photos/order.txt'
    if fails == 'pretrain':
        assert not order.exists() and wanted in left and len(left) == 2
        assert any('ended with status 3' in line for line in said)
        return
    assert left == []
    assert order.read_text().split() == [PRETRAINING.config, DEFAULT.config]
    kept = records.read_records(paths)
    assert {run.config for run in kept} == {PRETRAINING.config, DEFAULT.config}
    record = kept[wanted]
    assert record['scores'] == {'fine-tuned': 66.0} and record['cpu_hours'] >= 0
    assert launching.run_missing([wanted], paths, 2, 1, float('inf'), said.append) == []
    assert len(order.read_text().split()) == 2


def program(monkeypatch, code: str) -> None:
    """Put a program in place of training."""
    for module in (launching, scripts):
        monkeypatch.setattr(module, 'command', lambda *_: [sys.executable, '-c', code])


def test_every_start_is_counted_and_what_it_prints_is_kept(paths, monkeypatch):
    program(monkeypatch, 'import os; print(os.environ["OMP_NUM_THREADS"])')
    monkeypatch.setenv('OMP_NUM_THREADS', '5')
    for run, threads in ((PRETRAINING, 5), (PRETRAINING._replace(budget=PHOTOS), 1)):
        assert [launching.launch(run, paths, 1) for _ in range(2)] == [0, 0]
        folder = run.work_dir(paths)
        assert (folder / 'printed.txt').read_text() == f'{threads}\n' * 2
        assert len((folder / 'usage.jsonl').read_text().splitlines()) == 2


def test_a_run_that_stopped_with_status_0_is_not_done(paths, monkeypatch):
    """As it may where a launcher takes any other for a failure."""
    program(monkeypatch, '')
    said = []
    left = launching.run_missing([PRETRAINING], paths, 1, 1, float('inf'), said.append)
    assert left == [PRETRAINING] and records.read_records(paths) == {}
    assert 'ended with status 0 before its end' in said[1]


def test_a_run_that_is_done_is_recorded_without_being_run(paths):
    write_run(DEFAULT.work_dir(paths), [evaluated(100, 83.5)])
    assert launching.run_missing([DEFAULT], paths, 1, 1, 0.0, print) == []
    assert records.read_records(paths)[DEFAULT]['scores'] == {'fine-tuned': 83.5}


def test_nothing_is_started_after_the_deadline(paths):
    wanted = DEFAULT._replace(budget=PHOTOS)
    left = launching.run_missing([wanted], paths, 2, 1, 0.0, lambda text: None)
    assert [run.config for run in left] == [PRETRAINING.config, DEFAULT.config]


def test_a_run_that_waits_for_its_turn_is_not_started_after_the_deadline(paths, monkeypatch):
    """One at a time, each 10 s long."""
    now, started = [0.0], []

    def launch(run, paths, gpus):
        started.append(run)
        now[0] += 10
        return 1

    monkeypatch.setattr(launching, 'time', SimpleNamespace(time=lambda: now[0]))
    monkeypatch.setattr(launching, 'launch', launch)
    seeds = [PRETRAINING._replace(seed=seed) for seed in range(3)]
    assert set(launching.run_missing(seeds, paths, 1, 1, 15.0, str)) == set(seeds)
    assert started == seeds[:2]


def test_weights_of_another_project_have_to_be_there(paths):
    dino = Run(MAE_FINETUNE, start=DINO)
    with pytest.raises(ValueError, match='dino_vitb_300e_finetune_100e starts .* found no file'):
        launching.run_missing([dino], paths, 1, 8, float('inf'), print)


def test_jobs_for_slurm_wait_for_their_origins(paths, tmp_path):
    runs = launching.missing([DEFAULT], paths)
    scripts.write_scripts(runs, paths, 8, tmp_path / 'jobs')
    submit = (tmp_path / 'jobs/submit.sh').read_text().splitlines()
    assert submit[-2] == f'job_0=$(sbatch --parsable {tmp_path}/jobs/bootmae_vitb_300e_seed0.sh)'
    assert '--dependency=afterok:${job_0}' in submit[-1]
    job = (tmp_path / 'jobs/bootmae_vitb_300e_seed0.sh').read_text()
    assert 'tools/dist_train.sh' in job and '#SBATCH --gpus=8' in job


def started_job(paths: Paths, folder: Path, monkeypatch, code: str) -> subprocess.Popen:
    """The script of a run, and a scontrol that notes what it is asked in ``queued``."""
    program(monkeypatch, code)
    scripts.write_scripts([PRETRAINING], paths, 8, folder / 'jobs')
    (folder / 'bin').mkdir()
    scontrol = folder / 'bin/scontrol'
    scontrol.write_text(f'#!/bin/sh\necho "$@" >{shlex.quote(str(folder / "queued"))}\n')
    scontrol.chmod(0o755)
    path = f'{scontrol.parent}:{os.environ["PATH"]}'
    env = {**os.environ, 'PATH': path, 'SLURM_JOB_ID': '17'}
    script = folder / 'jobs/bootmae_vitb_300e_seed0.sh'
    return subprocess.Popen([script], env=env, start_new_session=True)


@pytest.mark.parametrize('at_once', [False, True])
@pytest.mark.parametrize('status', [0, 3, 99])
def test_a_job_that_can_go_on_is_queued_again(paths, tmp_path, monkeypatch, status, at_once):
    if at_once:
        (tmp_path / 'trap').write_text(CHILD_ENDS_FIRST)
        monkeypatch.setenv('BASH_ENV', str(tmp_path / 'trap'))
    job = started_job(paths, tmp_path, monkeypatch, f'import sys; sys.exit({status})')
    assert job.wait() == status
    queued = tmp_path / 'queued'
    assert (queued.read_text() if queued.exists() else None) == (
        'requeue 17\n' if status == 99 else None
    )


STOPPING = """
import os, pathlib, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
pathlib.Path({ready!r}).touch()
signal.sigwait([signal.SIGUSR1])
sys.exit(99)
"""


def test_a_job_hands_the_signal_on_and_waits_for_the_checkpoint(paths, tmp_path, monkeypatch):
    """The signal that Slurm sends to the script alone two minutes before the end."""
    ready = tmp_path / 'ready'
    job = started_job(paths, tmp_path, monkeypatch, STOPPING.format(ready=str(ready)))
    try:
        for _ in range(6000):
            if ready.exists() and handles(job.pid, signal.SIGUSR1):
                break
            assert job.poll() is None
            time.sleep(0.01)
        job.send_signal(signal.SIGUSR1)
        assert job.wait() == 99
    finally:
        with suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
    assert (tmp_path / 'queued').read_text() == 'requeue 17\n'


def handles(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal."""
    status = Path(f'/proc/{pid}/status').read_text()
    (caught,) = (line.split()[1] for line in status.splitlines() if line.startswith('SigCgt'))
    return bool(int(caught, 16) >> number - 1 & 1)


def test_the_plan_adds_up(paths):
    """The hours of those that have a time, and 300 × 1,281,167 or 160,000 × 16 images."""
    configs = ['pretrain/bootmae_vitb_300e', 'pretrain/mae/mae_vitb_300e']
    runs = [Run(config) for config in (*configs, 'seg/upernet_bootmae_vitb_160k')]
    text = planning.plan(runs, paths, 8)
    hours = (0.660 + 0.473) * 1_281_167 * 300 / 256 / 3600
    assert f'\n{hours:.0f} A100 hours for the 2 of 3 runs that the paper has a time of' in text
    lines = [line.split() for line in text.splitlines()[1:4]]
    assert [line[0] for line in lines] == [run.name for run in runs]
    assert [line[-2] for line in lines] == ['384,350,100', '384,350,100', '2,560,000']
    assert lines[2][-1] == '–'


def test_the_paper_s_hours(paths):
    """1,281,167 images, 300 epochs, the times of Table 5."""
    images = 1_281_167 * 300 / 256 / 3600
    expected = {
        'pretrain/bootmae_vitb_300e': 0.660 * images,
        'pretrain/ablations/bootmae_vitb_300e_teacher_25': 0.407 * images,
        'pretrain/mae/mae_vitb_300e': 0.473 * images,
        'pretrain/ablations/bootmae_vitb_300e_depth_4': None,
        'pretrain/ablations/bootmae_vitb_300e_context_low_none': None,
        'pretrain/bootmae_vitl_300e': None,
        FINETUNE: None,
    }
    for config, hours in expected.items():
        found = planning.a100_hours(Run(config), paths)
        assert found == (None if hours is None else pytest.approx(hours)), config


# ---------------------------------------------------------------------------------------------
# Tables


TOY = Table(
    'toy', 'A toy', ('row',),
    (
        Row(('a',), (Score(TOP1, 80.0, Run('finetune/a')),)),
        Row(('b',), (Score(TOP1, 82.0, Run('finetune/b')),)),
        Row(('c',), (Score(TOP1, 81.0, Run('finetune/c')),)),
        Row(('quoted',), (Score(TOP1, 79.0, None),)),
    ),
)  # fmt: skip


def toy_records(budget: str, **values: list[float]) -> dict:
    return {
        Run(f'finetune/{name}', budget, seed): {'scores': {'fine-tuned': value}}
        for name, column in values.items()
        for seed, value in enumerate(column)
    }


def test_a_table_shows_mean_spread_and_differences():
    """Each budget in a column of its own; the difference is the full runs'."""
    found = toy_records(PHOTOS, a=[10.0, 14.0], b=[20.0]) | toy_records(FULL, c=[81.4])
    header, rows = tables.rows_of(TOY, found | toy_records(CARD, a=[40.0], b=[39.5]))
    assert header[1:] == (
        'score', 'paper', 'ours', 'photographs, GPU', 'photographs', 'difference',
    )  # fmt: skip
    spread = statistics.stdev([10.0, 14.0])
    assert [row[2:] for row in rows] == [
        ('80.0', '–', '40.0', f'12.0 ± {spread:.1f} (2)', '–'),
        ('82.0', '–', '39.5', '20.0', '–'),
        ('81.0', '81.4', '–', '–', '+0.4'),
        ('(79.0)', '–', '–', '–', '–'),
    ]


def test_headings_of_tables():
    headings = [catalogue.TABLES[name].heading for name in ('4a', 'fig3', 'sec4.3', 'masks')]
    assert [heading.partition(':')[0] for heading in headings] == [
        'Table 4a', 'Fig. 3', 'Section 4.3', 'Beyond the paper',
    ]  # fmt: skip


def test_a_speed_up_is_the_quotient_of_two_runs_seconds():
    """Of the mean of the other's seeds; 0.480 / 0.400 = 1.2 and 0.480 / 0.500 = 0.96."""
    own, base = Run('pretrain/own'), Run('pretrain/base')
    seconds = {own: [0.4, 0.5], base: [0.47, 0.49]}
    found = {
        run._replace(budget=PHOTOS, seed=seed): {'scores': {'seconds': value}}
        for run, values in seconds.items()
        for seed, value in enumerate(values)
    }
    score = Score(cells.SPEED_UP, 1.16, own, over=base)
    assert tables.ours(found, score, PHOTOS).values == pytest.approx((1.2, 0.96))
    assert tables.ours(found, score, PHOTOS).shown(score.metric.digits).startswith('1.08 ±')
    without_base = {run: record for run, record in found.items() if run.config == own.config}
    assert tables.ours(without_base, score, PHOTOS) is None


def test_the_hours_of_a_run_are_those_of_its_record():
    run = Run('pretrain/own')
    record = {'scores': {}, 'hours': 18.25, 'cpu_hours': 3.5}
    for budget, hours in ((FULL, 18.25), (PHOTOS, 3.5)):
        found = {run._replace(budget=budget): record}
        assert tables.ours(found, Score(cells.HOURS, 18, run), budget).values == (hours,)
    uncounted = {run._replace(budget=PHOTOS): {**record, 'cpu_hours': None}}
    for kept in (uncounted, {}):
        assert tables.ours(kept, Score(cells.HOURS, 18, run), PHOTOS) is None


def test_a_score_that_all_rows_share_is_said_once():
    [table] = catalogue.select(['2'])
    header, rows = pages.shown(*tables.rows_of(table, {}))
    assert header == ('regressor', 'predictor', 'paper')
    assert rows[0] == ('no', 'no', '83.6')
    assert 'Scores: fine-tuned, % top-1.' in pages.remarks(table, {})
    [table] = catalogue.select(['7b'])
    assert 'score' in pages.shown(*tables.rows_of(table, {}))[0]
    assert not any('Scores' in said for said in pages.remarks(table, {}))


def test_a_number_and_its_spread_are_not_broken_over_lines():
    page = pages.markdown(('ours',), [('12.0 ± 2.8 (2)',), ('two words',)])
    assert page.splitlines()[2:] == ['| 12.0\xa0±\xa02.8\xa0(2) |', '| two words |']


def test_a_value_is_that_of_its_budget():
    found = toy_records(PHOTOS, a=[10.0]) | toy_records(FULL, a=[80.1, 80.3])
    score = TOY.rows[0].scores[0]
    assert tables.ours(found, score, FULL).shown(1) == '80.2 ± 0.1 (2)'
    assert tables.ours(found, score, PHOTOS).shown(3) == '10.000'
    assert tables.ours(found, score, CARD) is None


def test_the_order_of_rows_is_compared_with_the_papers():
    """Against the definition, pair by pair: b > c > a in the paper."""
    values = dict(a=[10.0, 11.0, 12.0], b=[30.0, 31.0, 32.0], c=[8.0, 9.5, 11.0])
    [counts] = tables.agreement(TOY, toy_records(PHOTOS, **values), PHOTOS).values()
    expected = [0, 0, 0]
    for (first, high), (second, low) in itertools.combinations(dict(b=82, c=81, a=80).items(), 2):
        assert high > low
        x, y = values[first], values[second]
        gap = statistics.mean(x) - statistics.mean(y)
        error = (statistics.variance(x) / 3 + statistics.variance(y) / 3) ** 0.5
        expected[2 if abs(gap) <= 2 * error else int(gap < 0)] += 1
    assert tuple(counts) == tuple(expected) == (2, 0, 1)
    reverse = toy_records(PHOTOS, a=[50.0, 51.0], b=[10.0, 11.0])
    assert tables.agreement(TOY, reverse, PHOTOS)['fine-tuned'] == (0, 1, 0)
    single = toy_records(PHOTOS, a=[50.0], b=[10.0])
    assert tables.agreement(TOY, single, PHOTOS)['fine-tuned'] == (0, 0, 1)


@pytest.mark.parametrize(('gap', 'counts'), [(2.7, (0, 0, 1)), (2.9, (1, 0, 0)), (-2.9, (0, 1, 0))])
def test_rows_are_ranked_from_twice_the_standard_error_on(gap, counts):
    """Variance 2, two seeds each: 2 × sqrt(2 / 2 + 2 / 2) = 2.83."""
    found = toy_records(PHOTOS, a=[0.0, 2.0], b=[gap, gap + 2])
    assert tables.agreement(TOY, found, PHOTOS)['fine-tuned'] == counts


def test_a_line_says_where_a_number_comes_from():
    """The hours of all devices, and of the processor where they were counted."""
    record = dict(
        versions=dict(device='A100', torch='2.10.0', mmengine='0.10.7'), hours=1.5,
        device_hours=12.0, cpu_hours=None, checkpoint='c/epoch_4.pth', log=None,
    )  # fmt: skip
    kept = {
        Run('finetune/a', FULL, 1): record,
        Run('finetune/a', PHOTOS, 0): {**record, 'cpu_hours': 2.345},
        Run('finetune/d'): record,
    }
    versions = 'torch 2.10.0, mmengine 0.10.7'
    assert tables.provenance(TOY, kept) == [
        ('a', '1', 'full', '12', 'A100', versions, 'c/epoch_4.pth', '–'),
        (
            *('a', '0', 'photos', '12 (2.35 of processor)', 'A100', versions),
            *('c/epoch_4.pth', '–'),
        ),
    ]


def test_tables_are_chosen_by_name():
    assert [table.name for table in catalogue.select(['4', 'fig3'])] == ['4a', '4b', 'fig3']
    assert [table.name for table in catalogue.select(['all'])][-3:] == ['sec4.3', 'masks', 'length']
    assert len(catalogue.select(['all'])) == 13 + 2  # the paper's and ours
    with pytest.raises(ValueError, match="found '10'"):
        catalogue.select(['10'])


# ---------------------------------------------------------------------------------------------
# The command line and the pages


def test_the_pages_are_up_to_date():
    """`python tools/reproduce.py pages` writes them."""
    said = []
    paths = Paths(ROOT / 'configs', ROOT / 'work_dirs', ROOT / 'results')
    assert pages.write_pages(paths, check=True, say=said.append) == 0, said


def test_a_stale_page_is_found_and_written(tmp_path):
    paths = Paths(tmp_path / 'configs', tmp_path / 'work_dirs', tmp_path / 'results')
    shutil.copytree(ROOT / 'configs', paths.configs)
    (paths.configs / 'seg/README.md').unlink()
    (tmp_path / 'docs').mkdir()
    config = paths.configs / 'seg/one.py'
    config.write_text('"""What it is.\n\nExpect     49.1 mIoU,\n           single scale\n"""\n')
    assert pages.write_pages(paths, check=True, say=str) == 1
    assert not (paths.configs / 'seg/README.md').exists()
    assert pages.write_pages(paths, check=False, say=str) == 0
    assert pages.write_pages(paths, check=True, say=str) == 0
    page = (paths.configs / 'seg/README.md').read_text()
    assert '| [one](one.py) | What it is | 49.1 mIoU, single scale |' in page
    assert '- [`baselines/`](baselines), 5 configs: other' in page
    config.write_text('"""What it was."""\n')
    assert pages.write_pages(paths, check=True, say=str) == 1


def curve(paths: Paths) -> dict:
    """Two seeds of MAE and one of BootMAE after 300 epochs, linear alone."""
    kept = {}
    for model, values in {'MAE': (10.0, 12.0), 'BootMAE': (13.0,)}.items():
        row = next(row for row in beyond.LENGTH.rows if row.cells == (model, '300'))
        [score] = [score for score in row.scores if score.metric is cells.LINEAR]
        for seed, value in enumerate(values):
            run = score.run._replace(budget=PHOTOS, seed=seed)
            kept[run] = {'scores': {'linear': value}}
            [origin] = run.origins(paths)
            kept[origin] = {'scores': {}, 'cpu_hours': 0.25 + seed / 2}
    return kept


def test_a_learning_curve_is_mean_and_spread_over_the_hours_of_pretraining(paths, tmp_path):
    kept = curve(paths)
    mae, boot = (
        next(row for row in beyond.LENGTH.rows if row.cells == (model, '300'))
        for model in ('MAE', 'BootMAE')
    )
    found = figures.point(mae, cells.LINEAR, kept, PHOTOS, paths)
    assert found == pytest.approx((0.5, 11.0, 2**0.5))
    assert figures.point(boot, cells.LINEAR, kept, PHOTOS, paths) == (0.25, 13.0, 0.0)
    assert figures.point(mae, cells.TOP1, kept, PHOTOS, paths) is None
    assert figures.point(mae, cells.LINEAR, kept, CARD, paths) is None
    file = tmp_path / 'curve.png'
    figures.draw_length(beyond.LENGTH, kept, PHOTOS, paths, file)
    with Image.open(file) as picture:
        assert np.asarray(picture.convert('RGB')).std() > 10


def test_the_legend_names_every_model_that_a_panel_shows(paths, tmp_path, monkeypatch):
    """Though none was fine-tuned, the score of the first panel."""
    drawn = []
    monkeypatch.setattr(figures.Figure, 'savefig', lambda self, file, dpi: drawn.append(self))
    figures.draw_length(beyond.LENGTH, curve(paths), PHOTOS, paths, tmp_path / 'curve.png')
    [legend] = drawn[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ['MAE', 'BootMAE']


def test_pages_draw_the_curves_that_there_are(paths, monkeypatch):
    monkeypatch.setattr(pages, 'read_records', curve)
    monkeypatch.setattr(figures, 'draw_length', lambda *args: None)
    said = []
    pages.draw_figures(paths, said.append)
    assert [Path(line.partition(' ')[0]).name for line in said] == ['length_photos.png']


def test_the_cost_of_the_reduced_runs_is_their_processor_time(paths):
    """Apart: what only a table beyond the paper asks for, by itself or as another's origin."""
    beyond = Run('pretrain/ablations/bootmae_vitb_300e_random')
    used = [
        (paper.BOOTMAE_800, PHOTOS, 1.25), (Run('pretrain/bootmae_vitb_800e'), PHOTOS, 0.5),
        (paper.BOOTMAE_300, PHOTOS, None), (paper.BOOTMAE_800, FULL, 800.0),
        (beyond, PHOTOS, 4.0), (Run(FINETUNE, start=beyond.config), PHOTOS, 2.0),
    ]  # fmt: skip
    found = {run._replace(budget=budget): {'cpu_hours': hours} for run, budget, hours in used}
    shown = pages.spent(found, paths)
    assert (
        'Photographs: 3 runs took 1.75 hours' in shown and '2 beyond' in shown and '6.00. ' in shown
    )
    assert 'beyond' not in pages.spent(dict(list(found.items())[:3]), paths)
    assert pages.spent({}, paths) == ''


def test_the_command_line(paths, monkeypatch, capsys, tmp_path, classes):
    tool = load_tool('reproduce')
    monkeypatch.setattr(tool, 'Paths', lambda: paths)
    assert tool.main(['list', '2']) == 0
    line = capsys.readouterr().out.splitlines()[4].split()
    start = 'pretrain/ablations/bootmae_vitb_300e_context_low_none'
    assert line == ['yes', 'no', 'fine-tuned', '83.9', FINETUNE, start, 'not', 'run']
    assert tool.main(['plan', '2', '--rows', 'no no']) == 0
    printed = capsys.readouterr().out
    assert 'context_none_none' in printed and 'context_low_none' not in printed
    assert '\nbash tools/dist_train.sh configs/pretrain/ablations/bootmae' in printed
    assert 'tools/plan.py CONFIG --gpus 8 measures' in printed
    assert tool.main(['plan', '2', '--rows', 'no no', '--budget', PHOTOS]) == 0
    printed = capsys.readouterr().out
    assert 'with run for plan' in printed and 'A100 hours for' not in printed
    found = tool.launching.missing
    monkeypatch.setattr(tool.launching, 'missing', lambda runs, paths: [])
    assert tool.main(['plan', '2']) == 0
    assert f'record of every run below {paths.results}/full; remove one' in capsys.readouterr().out
    monkeypatch.setattr(tool.launching, 'missing', found)
    assert tool.main(['plan', '6', '--budget', PHOTOS, '--rows', 'DINO']) == 0
    assert 'left out: Expected dino_vitb_300e_finetune_100e to start' in capsys.readouterr().out
    assert tool.main(['run', '6', '--budget', PHOTOS, '--rows', 'DINO']) == 0
    assert tool.main(['run', '2', '--scripts', str(tmp_path / 'jobs')]) == 0
    assert len(list((tmp_path / 'jobs').glob('*.sh'))) == 7
    assert tool.main(['table', '2']) == 0
    printed = capsys.readouterr().out
    assert '| yes | yes | 84.0 |' in printed and 'Scores: fine-tuned' in printed
    assert tool.main(['table', '12']) == 2
    assert 'Expected tables out of 1, 2' in capsys.readouterr().err
    assert tool.main(['run', '2', '--scripts', 'jobs', '--budget', PHOTOS]) == 2
    assert 'Expected full runs with --scripts, found --budget photos' in capsys.readouterr().err


def test_the_command_line_refuses_what_cannot_be(tmp_path, monkeypatch, capsys):
    tool = load_tool('reproduce')
    monkeypatch.chdir(ROOT)
    for name in ('gpus', 'jobs'):
        with pytest.raises(SystemExit, match='2'):
            tool.main(['run', '2', f'--{name}', '0'])
        assert f'--{name} expects a number from 1 up, found 0' in capsys.readouterr().err
    assert tool.main(['plan', '2', '--data', str(tmp_path)]) == 2
    assert 'Expected --budget photos or card with --data, found full' in capsys.readouterr().err
    assert tool.main(['plan', '2', '--budget', PHOTOS, '--data', str(tmp_path)]) == 2
    assert f'Expected pictures in {tmp_path}/imagenet/train' in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert tool.main(['list', '2']) == 2
    assert f'found none in {tmp_path}; go to the root of a clone' in capsys.readouterr().err


def test_scripts_can_be_submitted_from_anywhere(paths, tmp_path):
    scripts.write_scripts([PRETRAINING], paths, 8, Path('jobs'))
    submit = (tmp_path / 'jobs/submit.sh').read_text()
    assert f'--parsable {tmp_path}/jobs/bootmae_vitb_300e_seed0.sh)' in submit


def test_the_command_line_asks_for_every_row_and_seed():
    tool = load_tool('reproduce')
    line = ['plan', '2', '--rows', 'yes', '--seeds', '3', '5', '--budget', PHOTOS]
    low_none = Run(FINETUNE, start='pretrain/ablations/bootmae_vitb_300e_context_low_none')
    expected = [
        run._replace(budget=PHOTOS, seed=seed) for seed in (3, 5) for run in (low_none, DEFAULT)
    ]
    assert tool.wanted_runs(tool.parse_args(line)) == expected
    of_mae = tool.wanted_runs(tool.parse_args(['plan', 'length', '--rows', 'MAE 800']))
    assert {run.name for run in of_mae} >= {'mae_vitb_800e_linear_90e'}
    assert not any('bootmae' in run.name for run in of_mae)
    with pytest.raises(ValueError, match=r"--rows to leave some rows, found none with \['maybe'\]"):
        tool.wanted_runs(tool.parse_args(['plan', '2', '--rows', 'maybe']))


def test_the_command_line_runs_for_so_many_minutes(paths, monkeypatch, capsys):
    tool, asked = load_tool('reproduce'), []

    def run_missing(runs, paths, *arguments):
        asked.append(arguments[:3])
        return runs[:1] if len(asked) == 1 else []

    monkeypatch.setattr(tool, 'Paths', lambda: paths)
    monkeypatch.setattr(tool, 'time', SimpleNamespace(time=lambda: 1000.0))
    monkeypatch.setattr(tool.launching, 'run_missing', run_missing)
    line = ['run', '2', '--gpus', '4', '--jobs', '3']
    assert tool.main([*line, '--minutes', '2']) == 1
    assert 'not done: bootmae_vitb_300e_context_none_none_finetune' in capsys.readouterr().out
    assert tool.main(line) == 0
    assert asked == [(3, 4, 1120.0), (3, 4, float('inf'))]


def test_the_command_line_records_what_is_done(paths, monkeypatch, capsys):
    tool = load_tool('reproduce')
    monkeypatch.setattr(tool, 'Paths', lambda: paths)
    small = DEFAULT._replace(budget=PHOTOS, seed=2)
    write_run(small.work_dir(paths), [evaluated(16, 83.5)])
    write_run(PRETRAINING.work_dir(paths), trained(3))  # not done
    assert tool.main(['record']) == 0
    assert '1 runs are done' in capsys.readouterr().out
    assert {run: record['scores'] for run, record in records.read_records(paths).items()} == {
        small: {'fine-tuned': 83.5}
    }


@pytest.mark.parametrize(
    ('config', 'expected'),
    [
        (
            'pretrain/ablations/bootmae_vitb_300e_context_middle_low',
            {'regressor.context_layer': 2, 'regressor.depth': 1, 'regressor.embed_dims': 64},
        ),
        ('pretrain/ablations/bootmae_vitb_300e_depth_8', {'predictor.depth': 4}),
        ('pretrain/ablations/bootmae_vitb_300e_width_256', {'regressor.embed_dims': 32}),
        ('pretrain/ablations/bootmae_vitb_300e_teacher_75', {'teacher.fraction': 0.75}),
        ('pretrain/mae/mae_vitb_300e', {'neck.num_patches': 64, 'neck.decoder_depth': 4}),
    ],
)
def test_a_reduced_config_is_the_row_made_smaller(paths, config, expected):
    path = launching.write_reduced(Run(config, PHOTOS, 3), paths)
    cfg = Config.fromfile(path)
    for name, value in expected.items():
        part, key = name.split('.')
        assert cfg.model[part][key] == value
    assert cfg.randomness.seed == 3 and cfg.train_cfg.max_epochs == 3
    encoder = cfg.model.backbone
    assert (encoder.img_size, encoder.patch_size) == (64, 8)
    assert (encoder.arch.embed_dims, encoder.arch.num_layers) == (96, 6)


def test_a_card_keeps_the_paper_s_depth(paths):
    cfg = reduced_config(
        Run('pretrain/ablations/bootmae_vitb_300e_context_middle_low', CARD), paths
    )
    model = cfg.model
    assert (model.backbone.arch.num_layers, model.predictor.depth) == (12, 2)
    assert (model.regressor.context_layer, model.regressor.embed_dims) == (5, 256)
    assert (cfg.train_cfg.max_epochs, cfg.optim_wrapper.dtype) == (8, 'bfloat16')  # 300 / 40
    with pytest.raises(ValueError, match='leaves out upernet_bootmae_vitb_160k'):
        reduced_config(Run('seg/upernet_bootmae_vitb_160k', CARD), paths)


def test_on_photographs_all_schedules_are_shares_of_the_run(paths):
    """3 epochs for the paper's 300: warm-up and λ as in its run of 800, a teacher ten times as
    fast."""
    cfg = reduced_config(PRETRAINING._replace(budget=PHOTOS), paths)
    warm_up, cosine = cfg.param_scheduler
    assert (cfg.train_cfg.max_epochs, cosine.end) == (3, 3)
    assert (warm_up.end, cosine.begin) == pytest.approx((3 * 40 / 800,) * 2)
    hooks = hooks_of(cfg)
    teacher, weight = hooks['MomentumTeacherHook'], hooks['FeatureWeightHook']
    assert teacher.milestones is None and weight.ramp == 0.25 and not weight.by_epoch
    paper_steps = 800 * (1_281_167 // 4096)
    for share, kept in teacher.memory:
        paper_s = teacher_decay(share * 800, [(0, 0.999), (100, 0.9999), (400, 0.99999)])
        assert 10 * kept == pytest.approx(1 / (1 - paper_s) / paper_steps, rel=0.01)


def test_photographs_are_linked_where_the_configs_look(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = [Run(f'{kind}/a', PHOTOS) for kind in TEMPLATES]
    first, second = Path('first'), Path('second')
    with pytest.raises(ValueError, match=r'Expected pictures in first/imagenet/train, found no'):
        photographs.link(first)
    for folder in (first, second):
        (folder / 'imagenet/train').mkdir(parents=True)
    (second / 'coco').mkdir()
    for folder, missing in ((first, {'seg', 'det'}), (second, {'seg'})):
        photographs.link(folder)
        photographs.link(photographs.PLACE)  # as the link itself
        assert photographs.PLACE.samefile(folder)
        for run in runs:
            with (
                pytest.raises(ValueError, match='photographs of a in data/photos/')
                if (run.kind in missing)
                else nullcontext()
            ):
                photographs.require_photographs(run)
    photographs.PLACE.unlink()
    photographs.PLACE.mkdir()
    with pytest.raises(ValueError, match='found another folder there; remove it'):
        photographs.link(first)
    photographs.require_photographs(Run('seg/a'))


def test_a_run_that_lacks_its_photographs_is_left_out_saying_so(paths, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tuned, said = DEFAULT._replace(budget=PHOTOS), []
    assert launching.possible([tuned], paths, said.append) == []
    assert said[0].startswith('left out: Expected the photographs of bootmae_vitb_300e_finetune')


def test_on_photographs_the_classes_are_those_of_the_folder(paths, classes):
    tuned = DEFAULT._replace(budget=PHOTOS)
    assert launching.possible([tuned], paths, print) == [tuned]
    model = reduced_config(tuned, paths).model
    assert (model.head.num_classes, model.data_preprocessor.num_classes) == (3, 3)


def hooks_of(cfg: Config) -> dict[str, dict]:
    return {hook.type: hook for hook in hook_list(cfg.custom_hooks)}


def test_a_reduced_pretraining_has_masks_batch_and_schedule_of_its_size(paths):
    """Three quarters of 64 patches; 800 of the paper's epochs are 8 here."""
    run = Run('pretrain/ablations/bootmae_vitb_800e_joint_random', PHOTOS)
    cfg, loader = reduced_config(run, paths), 'train_dataloader'
    assert cfg[loader].dataset.pipeline[2] == dict(type='RandomMasking', grid=8, num_masked=48)
    assert cfg.model.pixel_head.norm == 'patch'
    assert cfg[loader].batch_size == cfg[loader].sampler.total_batch_size == 32
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler[1].end) == (8, 8)


def test_a_reduced_mae_has_neither_our_masks_nor_our_hooks(paths):
    cfg = reduced_config(Run('pretrain/mae/mae_vitb_300e', PHOTOS), paths)
    pipeline = [step.type for step in cfg.train_dataloader.dataset.pipeline]
    assert pipeline == ['LoadAnyImage', 'RandomCropFlip', 'PackInputs']
    assert not {'MomentumTeacherHook', 'FeatureWeightHook'} & hooks_of(cfg).keys()
    frozen = Run('pretrain/mae/mae_vitb_300e_feature_block', PHOTOS, 1)
    teacher = reduced_config(frozen, paths).model.teacher
    assert teacher.checkpoint == str(paths.work / 'photos/mae_vitb_800e_seed1/epoch_8.pth')


def test_a_reduced_segmentation_has_its_row_s_form(paths):
    """Relative positions, layer scale, a trained embedding, and what decays."""
    name = 'seg/baselines/scratch_vitb_upernet_160k'
    runs = (Run(f'{name}{end}', PHOTOS) for end in ('', '_release'))
    plain, release = (reduced_config(run, paths) for run in runs)
    added = dict(relative_position_bias=True, layer_scale_init_value=1.0, train_pos_embed=True)
    assert release.model.backbone == {**plain.model.backbone, **added}
    assert plain.optim_wrapper.paramwise_cfg == dict(layer_decay_rate=0.85)
    assert release.optim_wrapper.paramwise_cfg == dict(layer_decay_rate=0.85, decay_embeddings=True)


@pytest.mark.parametrize(
    ('config', 'start', 'origin'),
    [
        (FINETUNE, None, 'bootmae_vitb_800e_seed2/epoch_8'),
        (FINETUNE, PRETRAINING.config, 'bootmae_vitb_300e_seed2/epoch_3'),
        (
            'linear/baselines/mae_vitb_linear_90e', 'pretrain/mae/mae_vitb_1600e',
            'mae_vitb_1600e_seed2/epoch_16',
        ),
        ('det/mask_rcnn_bootmae_vitb_1x', None, 'bootmae_vitb_800e_seed2/epoch_8'),
        ('seg/baselines/scratch_vitb_upernet_160k', None, None),
    ],
)  # fmt: skip
def test_a_reduced_transfer_starts_from_the_row_s_pretraining(
    paths, config, start, origin, classes
):
    init_cfg = reduced_config(Run(config, PHOTOS, 2, start), paths).model.backbone.init_cfg
    if origin is None:
        assert init_cfg is None
        return
    origin = paths.work / f'photos/{origin}.pth'
    assert init_cfg == dict(type='PretrainedEncoder', checkpoint=str(origin))


def test_every_smaller_row_has_the_same_input(paths, classes):
    """BootMAE's and MAE's pretraining and every transfer, whose full rows have two kinds."""
    rows = (
        *('pretrain/bootmae_vitb_300e', 'pretrain/mae/mae_vitb_300e', FINETUNE),
        *('linear/baselines/mae_vitb_linear_90e', 'seg/upernet_bootmae_vitb_160k'),
        'det/mask_rcnn_bootmae_vitb_1x',
    )
    for row in rows:
        preprocessor = reduced_config(Run(row, PHOTOS), paths).model.data_preprocessor
        assert list(preprocessor.mean) == [123.675, 116.28, 103.53], row
        assert list(preprocessor.std) == [58.395, 57.12, 57.375], row


def test_rows_without_a_reduced_form_are_refused(paths):
    for run, said in {
        Run('finetune/bootmae_vitl_finetune_50e', PHOTOS): "with arch='large'; run it in full",
        Run(MAE_FINETUNE, PHOTOS, start=DINO): 'found weights of another project',
        Run('linear/baselines/beit_vitb_800e_linear_90e', PHOTOS): 'weights of another project',
    }.items():
        with pytest.raises(ValueError, match=f'{run.name} .*{said}'):
            reduced_config(run, paths)


@pytest.mark.parametrize('budget', SIZES)
@pytest.mark.parametrize('config', TEMPLATES.values())
def test_a_reduced_run_logs_its_last_evaluation_at_its_length(config, budget):
    """mmengine files the scores of a run that counts iterations under epoch 0 otherwise, and the
    run never counts as done."""
    path = ROOT / f'configs/{SIZES[budget].templates}{config}.py'
    if not path.is_file():
        assert budget == CARD and config in ('segment', 'detect')  # whose toolboxes it lacks
        return
    cfg = Config.fromfile(path)
    counts_epochs = cfg.train_cfg.get('by_epoch', cfg.train_cfg.get('type') != 'IterBasedTrainLoop')
    assert cfg.get('log_processor', {}).get('by_epoch', True) is counts_epochs
    assert cfg.default_hooks.logger.get('log_metric_by_epoch', True) is counts_epochs
