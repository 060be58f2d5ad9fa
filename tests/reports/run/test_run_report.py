"""The page about a run: what is read of a work_dir, and that a run writes it."""

import json
import logging
import subprocess
import sys
from collections import Counter
from datetime import datetime
from unittest.mock import patch

import numpy as np
import pytest
from mmengine.config import Config

from bootmae_mm.engine.build import build_runner
from bootmae_mm.reports.run import charts, monitors
from bootmae_mm.reports.run.hook import ReportHook
from bootmae_mm.reports.run.log import read_log
from bootmae_mm.reports.run.page import build_page, write_report
from bootmae_mm.reports.run.pictures import MAX_NAMES, collect_pictures
from bootmae_mm.reports.run.progress import progress, time_spent
from bootmae_mm.reports.run.scalars import Curves, Scalars, curves, join, read_scalars
from bootmae_mm.reports.run.settings import read_settings, setting
from bootmae_mm.reports.run.work_dir import read_work_dir
from tests.helpers.data_cases import assert_one_sentence
from tests.helpers.html import Page
from tests.helpers.images import write_images
from tests.helpers.paths import ROOT
from tests.helpers.run_folders import (
    CONFIG,
    ENVIRONMENT,
    SEGMENTATION,
    pretraining_row,
    record,
    validation_row,
    write_checkpoint,
    write_eventful_run,
    write_picture,
    write_run,
)
from tests.helpers.runs import run_config


def course(work_dir) -> Curves:
    return curves(read_work_dir(work_dir).rows, None)


def reached(work_dir, at_end=False):
    return progress(read_work_dir(work_dir), at_end)


# What is in a folder -----------------------------------------------------------------------------


def test_lines_that_are_no_rows_are_counted(tmp_path):
    path = tmp_path / 'scalars.json'
    good = pretraining_row(1, 1, loss=0.5)
    lines = [json.dumps(good), '', '[1, 2]', '{"loss": 1.0}', '{"loss": 1.0, "iter": 2, "st']
    path.write_text('\n'.join(lines))
    scalars = read_scalars(path)
    assert scalars.damaged == 3
    assert [row.values for row in scalars.rows] == [good]
    assert read_scalars(tmp_path / 'none.json') == Scalars([], 0)


@pytest.mark.parametrize(
    ('make', 'said'),
    [
        (lambda folder: folder / 'nowhere', 'found no folder'),
        (lambda folder: folder, 'found no folder named after a time'),
        (lambda folder: write_run(folder, '20260131_120000', []), 'found one of its runs'),
    ],
)
def test_what_is_no_work_dir_is_said_in_one_sentence(tmp_path, make, said):
    path = make(tmp_path)
    with pytest.raises(ValueError) as caught:
        write_report(path)
    assert_one_sentence(caught.value, said)
    assert not list(tmp_path.rglob('*.html'))


def test_other_folders_are_no_runs(tmp_path):
    write_run(tmp_path, '20260131_120000', [pretraining_row(1, 1)])
    for name in ('vis', '20260131_130000', 'notes'):
        (tmp_path / name).mkdir()
    assert [run.folder.name for run in read_work_dir(tmp_path).runs] == ['20260131_120000']


# Joining runs ------------------------------------------------------------------------------------


def write_two_runs(work_dir, steps_1, steps_2):
    for stamp, steps, loss in (
        ('20260131_120000', steps_1, 1.0), ('20260131_130000', steps_2, 2.0),
    ):  # fmt: skip
        write_run(work_dir, stamp, [pretraining_row(i, 1, loss=loss) for i in steps])


@pytest.mark.parametrize(
    ('steps_1', 'steps_2', 'expected'),
    [
        ((10, 20, 30), (40, 50), [(10, 1), (20, 1), (30, 1), (40, 2), (50, 2)]),
        ((10, 20, 30), (20, 30, 40), [(10, 1), (20, 2), (30, 2), (40, 2)]),
        ((10, 20, 30, 40), (20, 30), [(10, 1), (20, 2), (30, 2)]),  # 40 was given up
        ((10, 20, 30), (15, 30), [(15, 2), (30, 2)]),  # from the beginning
        ((10, 20), (11,), [(10, 1), (11, 2)]),
        ((10, 20), (), [(10, 1), (20, 1)]),  # the second one did not train
    ],
)
def test_a_later_run_goes_on_where_it_began(tmp_path, steps_1, steps_2, expected):
    write_two_runs(tmp_path, steps_1, steps_2)
    assert course(tmp_path).train['loss'] == expected


def test_validations_of_a_stretch_that_was_given_up_are_left_out(tmp_path):
    rows = []
    for epoch in (1, 2, 3):
        rows += [pretraining_row(10 * epoch, epoch), validation_row(epoch, top1=epoch)]
    write_run(tmp_path, '20260131_120000', rows)
    rows = [pretraining_row(20, 2), validation_row(2, top1=7), pretraining_row(30, 3)]
    write_run(tmp_path, '20260131_130000', rows)
    assert course(tmp_path).val['top1'] == [(1, 1), (2, 7)]


def test_values_that_are_not_finite_are_left_out_and_counted(tmp_path):
    rows = [pretraining_row(i, 1, loss=value) for i, value in enumerate((1.0, np.nan, np.inf), 1)]
    write_run(tmp_path, '20260131_120000', rows)
    assert course(tmp_path).train['loss'] == [(1, 1)]
    assert course(tmp_path).not_finite == Counter(loss=2)
    html = build_page(read_work_dir(tmp_path)).html()
    assert 'Values of loss that are not finite and are not drawn: 2.' in html


def test_validations_by_iterations_whose_logger_counts_epochs(tmp_path):
    """The logger writes step 0; validation is after 60 and 120 iterations, the log every 25."""
    steps = (25, 50, None, 75, 100, None)
    rows = [
        validation_row(0, mIoU=10.0 + i)
        if step is None
        else dict(loss=1.0, lr=1e-3, iter=step, step=step)
        for i, step in enumerate(steps)
    ]
    write_run(tmp_path, '20260131_120000', rows, config=SEGMENTATION)
    found = curves(read_work_dir(tmp_path).rows, 60)
    assert found.val['mIoU'] == [(60, 12), (120, 15)]
    charted = [c for c in charts.score_charts(found, 'iteration')]
    assert [c.title for c in charted] == ['Validation']
    assert reached(tmp_path).unit == 'iteration'


def test_what_hooks_add_has_steps_of_its_own(tmp_path):
    rows = [pretraining_row(10, 1), {'knn/top1': 55.0, 'step': 3}]
    write_run(tmp_path, '20260131_120000', rows)
    assert course(tmp_path).other == {'knn/top1': [(3, 55)]}


def test_names_with_the_loops_prefix_are_the_same():
    rows = [
        dict(zip(('train/loss', 'train/data_time', 'iter', 'step'), (1.0, 0.1, 5, 5), strict=True)),
        {'val/top1': 9.0, 'val/data_time': 0.1, 'step': 1},
    ]
    path_rows = join([Scalars([*map_rows(rows)], 0)])
    found = curves(path_rows, None)
    assert found.train['loss'] == [(5, 1)] and found.val['top1'] == [(1, 9)]


def map_rows(rows):
    """Rows as read from a file."""
    from bootmae_mm.reports.run.scalars import Row, _kind

    for row in rows:
        yield Row(_kind(row), row.get('iter', 5), row)


# How far it came ---------------------------------------------------------------------------------


def test_an_epoch_run_is_finished_by_checkpoint_log_or_validation(tmp_path):
    rows = [pretraining_row(i, (i + 9) // 10) for i in (5, 15, 25, 35)]
    work_dirs = [tmp_path / name for name in ('open', 'pointer', 'saved', 'length', 'validated')]
    line = record('12:00:01', 'INFO', 'Epoch(train)  [4][ 5/{}]  lr: 1e-3')
    logs = ['', '', record('12:00:01', 'INFO', 'Saving checkpoint at 4 epochs'), line.format(8), '']
    for work_dir, log in zip(work_dirs, logs, strict=True):
        more = [validation_row(4, top1=1.0)] if work_dir.name == 'validated' else []
        write_run(work_dir, '20260131_120000', rows + more, log)
    write_checkpoint(work_dirs[1], 'epoch_4.pth', '2026-01-31 12:30:00')
    found = [reached(work_dir) for work_dir in work_dirs]
    assert [p.state == 'finished' for p in found] == [False, True, True, True, True]
    assert {str(p) for p in found} == {'epoch 4 of 4, iteration 35'}
    assert found[0].state.startswith('not finished: ')
    assert reached(work_dirs[0], at_end=True).state == 'finished'


def test_a_checkpoint_from_before_the_newest_run_does_not_finish_it(tmp_path):
    write_run(tmp_path, '20260131_120000', [pretraining_row(5, 1), pretraining_row(10, 1)])
    write_checkpoint(tmp_path, 'epoch_4.pth', '2026-01-31 11:00:00')
    assert reached(tmp_path).done == 1
    assert reached(tmp_path).state.startswith('not finished: ')


@pytest.mark.parametrize(
    ('level', 'text', 'state'),
    [
        (
            'WARNING',
            'Stopped by SIGUSR1 after iteration 7; …',
            'stopped by SIGUSR1, to go on later',
        ),
        ('ERROR', 'Training was stopped at iteration 9 (epoch 1) …', 'stopped by a monitor'),
    ],
)
def test_why_a_run_stopped(tmp_path, level, text, state):
    log = record('12:00:10', level, text)
    write_run(tmp_path, '20260131_120000', [pretraining_row(5, 1)], log)
    assert reached(tmp_path).state.startswith(state)


@pytest.mark.parametrize(
    ('level', 'text', 'state'),
    [
        (
            'WARNING',
            'Stopped by SIGTERM after iteration 6; …',
            'stopped by SIGTERM, to go on later',
        ),
        (
            'ERROR',
            'Training was stopped at iteration 6 (epoch 1) …',
            'stopped by a monitor, see below',
        ),
    ],
)
def test_a_run_that_was_stopped_before_its_first_logged_step(tmp_path, level, text, state):
    log = record('12:00:02', 'INFO', ENVIRONMENT) + record('12:09:58', level, text)
    write_run(tmp_path, '20260131_120000', [], log)
    page = Page(build_page(read_work_dir(tmp_path)).html())
    assert page.texts('p')[0] == f'Epoch 1 of 4, iteration 6; {state}.'
    facts = dict(zip(page.texts('dt'), page.texts('dd'), strict=True))
    assert facts['time of training'] == '0:09:58 in 1 run'


def test_a_run_that_goes_on_and_is_stopped_before_its_first_logged_step(tmp_path):
    """Its epoch is known by the log of the run before it."""
    log = record('12:00:05', 'INFO', 'Epoch(train)  [2][10/10]  lr: 1.0e-03')
    write_run(tmp_path, '20260131_120000', [pretraining_row(i, i // 10) for i in (10, 20)], log)
    log = record('13:00:05', 'WARNING', 'Stopped by SIGTERM after iteration 21; …')
    write_run(tmp_path, '20260131_130000', [], log)
    assert str(reached(tmp_path)) == 'epoch 3 of 4, iteration 21'
    assert time_spent(read_work_dir(tmp_path)).total_seconds() == 10
    assert reached(tmp_path).state.startswith('stopped by SIGTERM')


def test_training_by_iterations_that_was_stopped_before_its_first_logged_step(tmp_path):
    log = record('12:00:05', 'WARNING', 'Stopped by SIGTERM after iteration 6; …')
    write_run(tmp_path, '20260131_120000', [], log, config=SEGMENTATION)
    assert str(reached(tmp_path)) == 'iteration 6 of 120'


def test_time_is_from_the_start_to_the_last_record_of_every_training(tmp_path):
    for stamp in ('20260131_120000', '20260131_130000'):
        log = record(f'{stamp[9:11]}:00:30', 'INFO', 'x')
        write_run(tmp_path, stamp, [pretraining_row(5, 1)], log)
    write_run(tmp_path, '20260131_140000', [], record('14:10:00', 'INFO', 'a test'))
    assert time_spent(read_work_dir(tmp_path)).total_seconds() == 60


# Config and log ----------------------------------------------------------------------------------


def test_settings_are_read_and_never_run(tmp_path):
    canary = tmp_path / 'ran'
    text = (
        CONFIG + f'evil = open({str(canary)!r}, "w").write("x")\nsizes = [1, (-2, dict(a=3.5))]\n'
    )
    settings = read_settings(text)
    assert not canary.exists()
    assert setting(settings, 'train_cfg', 'max_epochs') == 4
    assert setting(settings, 'model', 'backbone', 'arch', 'embed_dims') == 24
    assert setting(settings, 'train_cfg', 'max_epochs', 'deeper') is None
    assert settings['sizes'] == [1, [-2, dict(a=3.5)]]
    assert settings['evil'].startswith('open(')
    assert read_settings('train_cfg = dict(max_ep') == {}


def test_settings_are_those_that_mmengine_writes():
    settings = dict(train_cfg=dict(max_epochs=3, val=None), hooks=[dict(type='A', rate=-1e-3)])
    assert read_settings(Config(settings).pretty_text) == settings


def test_messages_and_environment_of_a_log(tmp_path):
    run = read_work_dir(write_eventful_run(tmp_path / 'run')).runs[0]
    log = run.log
    assert log.environment == {
        'sys.platform': 'linux',
        'Python': '3.11.7 (main, May  9 2026) [GCC 12.2.0]',
        'GPU 0,1': 'NVIDIA H200',
        'PyTorch': '2.10.0',
        'MMEngine': '0.10.12',
        'dist_cfg': "{'backend': 'nccl'}",
        'seed': '0',
    }
    assert [m.level for m in log.messages] == ['WARNING'] * 3
    assert log.messages[1].text.endswith('is odd\nand has a second line')
    assert {m.after for m in log.messages} == {'after step 5 of 10 of epoch 1'}
    assert log.first_time == datetime(2026, 1, 31, 12, 0, 1)
    assert log.last_time == datetime(2026, 1, 31, 12, 1) and log.epoch_length == 10


def test_an_error_is_shown_without_the_line_of_code_and_terminal_codes(tmp_path):
    path = tmp_path / 'a.log'
    text = record('12:00:00', 'ERROR', '\x1b[31mdisk - is - 9 - full\x1b[0m')
    path.write_text('before the first record\n' + text)
    (message,) = read_log(path).messages
    assert message.text == 'disk - is - 9 - full'
    assert message.after == 'before the first logged step'


def test_messages_belong_to_the_monitors_that_wrote_them(tmp_path):
    runs = read_work_dir(write_eventful_run(tmp_path / 'run')).runs
    found = monitors.by_monitor([message for run in runs for message in run.log.messages])
    starts = {name: [message.text[:14] for message in own] for name, own in found.items()}
    assert starts == {
        'Health of training': ['Iteration 26, ', 'Training was s'],
        'Waiting for data': ['Training waite'],
        'Images': ['Images in epoc'],
        'Stopping and going on': ['Stopped by SIG'],
        'Other warnings': ['/data/a_very_l'],
    }


def test_warnings_that_mmengine_writes_in_every_run_are_left_out(tmp_path):
    log = (
        record('12:00:01', 'WARNING', '"FileClient" will be deprecated in future. Please use io …')
        + record('12:00:01', 'WARNING', '"HardDiskBackend" is the alias of "LocalBackend" and …')
        + record('12:00:02', 'WARNING', 'A name will be deprecated in future.')
    )
    write_run(tmp_path, '20260131_120000', [pretraining_row(5, 1)], log)
    page = Page(build_page(read_work_dir(tmp_path)).html())
    facts = dict(zip(page.texts('dt'), page.texts('dd'), strict=True))
    assert facts['warnings and errors'] == '1 and 0, listed below'
    assert page.texts('summary')[0] == 'Other warnings (1)'


def test_images_with_problems_are_counted(tmp_path):
    issues = monitors.image_issues(write_eventful_run(tmp_path / 'run') / 'image_report.tsv')
    assert issues.counts == {'skipped': 1, 'converted': 1}
    assert issues.rows[1] == ('converted', 'b.png', 'RGBA')


# Charts and pictures -----------------------------------------------------------------------------


def test_values_that_belong_together_share_a_chart():
    row = pretraining_row(10, 1, base_lr=2e-3, momentum=0.9, odd=1.0)
    train = {k: [(10, v)] for k, v in row.items() if k not in ('iter', 'epoch', 'step')}
    found = Curves(train, {}, {}, Counter())
    charted = {chart.title: set(chart.series) for chart in charts.training_charts(found)}
    assert charted == {
        'Losses': {'loss', 'L_pixel', 'L_feature'},
        'Learning rate': {'lr', 'base_lr'},
        'Momentum': {'teacher_decay', 'momentum'},
        'Weight of the feature loss': {'feature_weight'},
        'Gradient norm': {'grad_norm'},
        'Spread over the batch (0 is a collapse)': {
            'pixel_spread', 'feature_spread', 'teacher_spread', 'teacher_image_spread',
        },
        "Effective rank of the teacher's features": {'teacher_rank'},
        'Distance of the teacher from the student': {'teacher_distance'},
        'Share of the time waited for data': {'data_share'},
        'Time of a step (s)': {'time', 'data_time'},
        'GPU memory (MiB)': {'memory'},
    }  # fmt: skip
    assert [chart.title for chart in charts.other_charts(found, 'epoch')] == ['odd']


def test_every_value_that_was_logged_is_drawn(tmp_path):
    names = ('loss', 'decode.loss_ce', 'aux.acc_seg', 'lr', 'base_lr', 'new', 'data_time', 'memory')
    train = {name: [(1, float(i))] for i, name in enumerate(names)}
    val = {'coco/bbox_mAP': [(1, 0.5)], 'time': [(1, 0.1)], 'accuracy/top1': [(1, 5.0)]}
    found = Curves(train, val, {'knn': [(1, 1.0)]}, Counter())
    drawn = [*charts.training_charts(found), *charts.score_charts(found, 'epoch')]
    drawn += charts.other_charts(found, 'epoch')
    assert sorted(name for c in drawn for name in c.series) == sorted([*names, *val, 'knn'])


def test_scores_of_one_metric_share_a_chart_and_absent_ones_are_left_out():
    val = {
        'coco/bbox_mAP': [(1, 0.1), (2, 0.2)], 'coco/bbox_mAP_l': [(1, -1.0), (2, -1.0)],
        'coco/segm_mAP_50': [(1, 0.3)], 'accuracy/top1': [(1, 5.0)], 'accuracy/top5': [(1, 9.0)],
        'mIoU': [(1, 40.0)], 'aAcc': [(1, 80.0)], 'data_time': [(1, 0.1)],
    }  # fmt: skip
    found = Curves({}, val, {}, Counter())
    assert {c.title: set(c.series) for c in charts.score_charts(found, 'epoch')} == {
        'Validation: coco/bbox': {'coco/bbox_mAP'},
        'Validation: coco/segm': {'coco/segm_mAP_50'},
        'Validation: accuracy': {'accuracy/top1', 'accuracy/top5'},
        'Validation': {'mIoU', 'aAcc'},
    }


def test_the_best_score_is_the_highest_or_of_losses_the_lowest():
    val = {'top1': [(1, 5.0), (2, 9.0), (3, 9.0), (4, 7.0)], 'val_loss': [(1, 3.0), (2, 4.0)]}
    top1, loss = charts.best_scores(val)
    assert top1 == ('top1', 7.0, 9.0, 2) and loss == ('val_loss', 4.0, 3.0, 1)


def test_probes_during_pretraining_are_scores(tmp_path):
    """As OnlineProbeHook logs them: at the iteration, with the epoch."""
    rows = [pretraining_row(10, 1)]
    for iteration, score in ((10, 20.0), (20, 30.0), (30, 25.0)):
        values = {'probe/student_knn': score, 'probe/teacher_knn': 40.0, 'probe/share': 0.01}
        rows.append({**values, 'epoch': iteration // 10, 'step': iteration})
    write_run(tmp_path, '20260131_120000', rows)
    found = course(tmp_path)
    assert {c.title: c.series for c in charts.probe_charts(found)} == {
        'Probes of the student': {'student_knn': [(10, 20), (20, 30), (30, 25)]},
        'Probes of the teacher': {'teacher_knn': [(10, 40), (20, 40), (30, 40)]},
    }
    assert [c.title for c in charts.other_charts(found, 'epoch')] == ['probe/share']
    page = Page(build_page(read_work_dir(tmp_path)).html())
    at = page.texts('td').index('probe/student_knn')
    assert page.texts('td')[at + 1 : at + 4] == ['25', '30', '20']
    assert {'Probes of the student', 'Probes of the teacher'} <= set(page.texts('h3'))


def test_one_peak_makes_the_axis_logarithmic():
    flat = [(i, 1.0) for i in range(9)]
    assert charts.has_peaks({'a': [*flat, (9, 51.0)]})
    assert not charts.has_peaks({'a': [*flat, (9, 49.0)]})
    assert not charts.has_peaks({'a': [*flat, (9, 51.0), (10, 0.0)]})


def test_first_and_newest_picture_of_every_name(tmp_path):
    folder = write_run(tmp_path, '20260131_120000', [])
    later = write_run(tmp_path, '20260131_130000', [])
    for step, value in ((2, 20), (10, 100)):
        write_picture(folder, 'a_b', step, value)
    write_picture(later, 'a_b', 2, 30)
    write_picture(later, 'folder/c', 7, 70, size=(1700, 4))
    (later / 'vis_data/vis_image/cut_1.png').write_bytes(b'\x89PNG\r\n')
    (later / 'vis_data/vis_image/other.png').write_bytes(b'')
    found = collect_pictures(read_work_dir(tmp_path).runs)
    told = [[(p.name, p.step, p.image[0, 0, 0]) for p in pair] for pair in found.shown]
    assert told == [[('a_b', 2, 30), ('a_b', 10, 100)], [('folder/c', 7, 70)]]
    assert found.shown[1][0].image.shape[1] == 1600
    assert [path.name for path in found.unreadable] == ['cut_1.png'] and not found.left_out


def test_names_of_pictures_are_limited_and_told(tmp_path):
    folder = write_run(tmp_path, '20260131_120000', [])
    for index in range(MAX_NAMES + 2):
        write_picture(folder, f'p{index:02}', 1, 0)
    found = collect_pictures(read_work_dir(tmp_path).runs)
    assert len(found.shown) == MAX_NAMES and found.left_out == ['p12', 'p13']


# The page ----------------------------------------------------------------------------------------


def test_the_page_of_an_eventful_run(tmp_path):
    path = write_report(write_eventful_run(tmp_path / 'run'))
    assert path == tmp_path / 'run/report.html'
    page = Page(path.read_text())
    assert page.texts('h1') == ['bootmae_tiny']
    assert page.texts('p')[0] == 'Epoch 4 of 4, iteration 40; finished.'
    assert any('20260131_120000 that could not be read and are left out: 1' in t
               for t in page.texts('p'))  # fmt: skip
    facts = dict(zip(page.texts('dt'), page.texts('dd'), strict=True))
    assert facts['started'] == '2026-01-31 12:00:00'
    assert facts['time of training'] == '0:01:30 in 2 runs'
    assert facts['warnings and errors'] == '5 and 1, listed below'
    assert facts['GPU 0,1'] == 'NVIDIA H200'
    assert page.texts('h2') == [
        'Scores', 'Curves', 'Other values', 'Monitors', 'Pictures', 'Checkpoints', 'Runs', 'Config',
        'Versions and environment',
    ]  # fmt: skip
    assert [e['attrs']['alt'] for e in page.all('img')] == [
        'masks, step 40 (newest)',
        'reconstruction, step 40 (newest)',
        'reconstruction, step 10 (first)',
    ]
    cells = page.texts('td')
    assert {'epoch_4.pth', '1.0', '5 to 20', '25 to 40', '5 to 30'} <= set(cells)
    assert 'Image files that could not be read as they are: 1 converted, 1 skipped.' in (
        page.texts('p')
    )
    assert CONFIG in page.texts('code')
    assert not page.all('b') and not page.all('script')
    assert page.texts('h3').count('odd_name') == 1


def test_the_page_of_a_run_that_logged_nothing(tmp_path):
    (tmp_path / '20260131_120000').mkdir()
    (tmp_path / '20260131_120000/20260131_120000.log').write_text('')
    shown = Page(build_page(read_work_dir(tmp_path)).html()).texts('p')
    for start in (
        'Iteration 0; no training step was logged.', 'None yet: ', 'None: no values',
        'The runs left no log', 'None in the folder.', 'The runs left no config.', 'The logs have',
    ):  # fmt: skip
        assert any(text.startswith(start) for text in shown), start


def test_test_results_are_shown(tmp_path):
    folder = write_run(tmp_path, '20260131_120000', [pretraining_row(5, 1)])
    (folder / f'{folder.name}.json').write_text('{"accuracy/top1": 83.25, "time": 0.1}')
    later = write_run(tmp_path, '20260131_130000', [])
    (later / f'{later.name}.json').write_text('{"accuracy/to')
    cells = Page(build_page(read_work_dir(tmp_path)).html()).texts('td')
    at = cells.index('accuracy/top1')
    assert cells[at + 1 : at + 3] == ['83.25', '2026-01-31 12:00']


def test_the_command_line(tmp_path):
    """In a process of its own: it needs neither PyTorch nor OpenMMLab."""
    work_dir, out = write_eventful_run(tmp_path / 'run'), tmp_path / 'page.html'
    code = (
        'import runpy, sys\n'
        'for name in ("torch", "mmengine", "mmcv", "mmpretrain"): sys.modules[name] = None\n'
        f'sys.argv = ["report.py", *sys.argv[1:]]\n'
        f'runpy.run_path({str(ROOT / "tools/report.py")!r}, run_name="__main__")'
    )

    def report(*arguments):
        command = [sys.executable, '-c', code, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)

    done = report(work_dir, '--out', out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(out) and 'bootmae_tiny' in out.read_text()
    failed = report(tmp_path)
    assert failed.returncode == 2 and 'Traceback' not in failed.stderr
    assert 'found no folder named after a time' in failed.stderr
    failed = report(work_dir, '--out', tmp_path / 'nowhere/page.html')
    assert failed.returncode == 2 and not (tmp_path / 'nowhere').exists()
    said = failed.stderr.splitlines()[-1]
    assert '--out expects a file in a folder that exists, found none at' in said


# During training ---------------------------------------------------------------------------------


def test_a_run_writes_its_page(tmp_path):
    cfg = run_config(write_images(tmp_path / 'images', 8), tmp_path / 'run')
    assert cfg.default_hooks.report == dict(type='ReportHook')
    # The whole text takes longer to format than all steps.
    with patch.object(Config, 'pretty_text', 'train_cfg = dict(max_epochs=2)'):
        build_runner(cfg).train()
    page = Page((tmp_path / 'run/report.html').read_text())
    assert page.texts('p')[0] == 'Epoch 2 of 2, iteration 4; finished.'
    assert {'Losses', 'Learning rate', 'Gradient norm'} <= set(page.texts('h3'))
    assert {'epoch_1.pth', 'epoch_2.pth'} <= set(page.texts('td'))
    facts = dict(zip(page.texts('dt'), page.texts('dd'), strict=True))
    assert 'PyTorch' in facts and 'MMEngine' in facts
    assert not any('FileClient' in text for text in page.texts('p'))


class FakeRunner:
    """As much of a runner as the hook looks at."""

    def __init__(self, work_dir):
        self.work_dir, self.epoch, self.iter = work_dir, 0, 0
        self.logger = logging.getLogger('test_run_report')


@pytest.mark.parametrize(
    ('options', 'epochs', 'iterations', 'pages'),
    [
        ({}, 4, 40, 0),
        (dict(interval=2), 4, 40, 2),
        (dict(interval=10, by_epoch=False), 20, 40, 4),
    ],
)
def test_a_page_is_written_every_interval(tmp_path, options, epochs, iterations, pages):
    hook, runner, written = ReportHook(**options), FakeRunner(tmp_path), []
    hook.write = lambda runner, at_end=False: written.append(at_end)
    for runner.iter in range(iterations):
        hook.after_train_iter(runner, 0)
    for runner.epoch in range(epochs):
        hook.after_train_epoch(runner)
    assert written == [False] * pages
    hook.after_train(runner)
    assert written[pages:] == [True]


def test_a_page_that_fails_is_a_warning(tmp_path, caplog):
    runner = FakeRunner(tmp_path / 'nowhere')
    ReportHook().after_train(runner)
    (entry,) = caplog.records
    assert entry.levelname == 'WARNING' and 'found no folder' in entry.getMessage()


def test_only_the_first_process_writes(tmp_path, monkeypatch):
    monkeypatch.setattr('mmengine.dist.utils.get_rank', lambda group=None: 1)
    write_run(tmp_path, '20260131_120000', [pretraining_row(5, 1)])
    ReportHook().after_train(FakeRunner(tmp_path))
    assert not (tmp_path / 'report.html').exists()


@pytest.mark.parametrize('interval', [0, -1])
def test_the_interval_is_positive(interval):
    with pytest.raises(ValueError, match='must be positive or None'):
        ReportHook(interval)
