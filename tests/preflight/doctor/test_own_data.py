"""Fine-tuning on data of one's own: the doctor and the start of a run find the same."""

import re

import pytest

from bootmae_mm.engine.build import build_runner
from bootmae_mm.preflight.doctor.case import Case
from bootmae_mm.preflight.doctor.checkup import POINTS, examine
from bootmae_mm.preflight.start import check_before_training
from tests.helpers.data_cases import cut
from tests.helpers.labelled_data import tiny_run, write_pictures

LOOKED_AT = ('classes', 'data', 'pictures', 'metrics', 'epoch', 'schedules', 'averages', 'one step')


@pytest.fixture
def make(tmp_path):
    """A function from changed settings to a run on 12 pictures of three classes, 3 steps an
    epoch."""
    write_pictures(tmp_path / 'data')

    def case(edit: dict | None = None, gpus: int = 1) -> Case:
        cfg = tiny_run('finetune/bootmae_vitb_finetune_100e', tmp_path / 'data', tmp_path / 'work')
        cfg.custom_hooks.ema.momentum = 0.7
        cfg.train_dataloader.drop_last = True
        cfg.merge_from_dict(edit or {})
        return Case(cfg, cfg, gpus)

    return case


def test_a_sound_run(make):
    findings = [(name, f) for name, f in examine(make(), LOOKED_AT)]
    assert [finding for _, finding in findings if finding.level != 'ok'] == []
    sentences = {name: finding.sentence for name, finding in findings}
    assert sentences['epoch'] == '3 optimiser steps.'
    assert sentences['pictures'] == 'val: 12 sampled images decode.'
    assert sentences['one step'] == 'Validation of 2 pictures: accuracy/top1.'
    assert any('4 of its pictures' in finding.sentence for _, finding in findings)


TOTAL = 'custom_hooks.total_batch.total_batch_size'
# Point, what is changed, the sentence.
ERRORS = {
    'fewer pictures than a batch': (
        'epoch', {'train_dataloader.batch_size': 16, TOTAL: 16},
        r'found 12 pictures for batches of 16 × 1 GPUs .*; set train_dataloader.batch_size=8 and '
        'custom_hooks.total_batch.total_batch_size=8 or less',
    ),
    'fewer pictures than are accumulated': (
        'epoch', {TOTAL: 16}, r'of 4 × 1 GPUs × 4 accumul',
    ),
    'top 5 of three classes': (
        'metrics', {'val_evaluator.topk': (1, 5)}, 'topk to be at most 3, .* found 5; set val_ev',
    ),
    'a metric of other classes': (
        'metrics', {'val_evaluator': dict(_delete_=True, type='SingleLabelMetric', num_classes=4)},
        'val_evaluator.num_classes to be 3, .*found 4',
    ),
    'a metric that is not there': (
        'metrics', {'val_evaluator.type': 'IoUMetric'}, 'val_evaluator: .*IoUMetric is not in',
    ),
    'classes of the preprocessor alone': (
        'classes', {'model.data_preprocessor.num_classes': 1000},
        'found head.num_classes=3, data_preprocessor.num_classes=1000; set',
    ),
    'classes of the loss alone': (
        'classes', {'model.head.loss.num_classes': 4}, r'head.loss_module.num_classes=4; set',
    ),
    'classes of the model alone': (
        'data', {'model.data_preprocessor.num_classes': 4, 'model.head.num_classes': 4},
        '4 classes in the train data set, .* found 3 in its metainfo: blue, green, red',
    ),
    'a warm-up of less than a step': (
        'schedules', {'param_scheduler.0.end': 0.1, 'param_scheduler.1.begin': 0.1},
        r'param_scheduler.0 .*found 0 to 0.1 epochs of 3 steps; set param_scheduler.0.end=0.3334\.',
    ),
    'a schedule that cannot be built': (
        'schedules', {'param_scheduler.1.eta_min': 1e-3}, 'param_scheduler.1: .*eta_min',
    ),
}  # fmt: skip


@pytest.mark.parametrize('name', ERRORS)
def test_doctor_and_training_stop_at_the_same(name, make):
    point, edit, expected = ERRORS[name]
    case = make(edit)
    sentences = [f.sentence for _, f in examine(case, [point]) if f.level == 'error']
    assert sentences and re.search(expected, sentences[0]), sentences
    assert '\n' not in sentences[0] and sentences[0].endswith('.')
    if 'not there' not in name:
        with pytest.raises(ValueError) as caught:
            check_before_training(build_runner(case.cfg), case.cfg)
        assert str(caught.value) in sentences


def test_gpus_share_the_pictures(make):
    edit = {'train_dataloader.batch_size': 4, TOTAL: 32}
    (finding,) = (f for _, f in examine(make(edit, gpus=8), ['epoch']))
    assert 'found 12 pictures for batches of 4 × 8 GPUs' in finding.sentence
    assert 'set train_dataloader.batch_size=1 and' in finding.sentence


def test_training_logs_what_may_be_meant_and_goes_on(make, monkeypatch):
    case = make({'custom_hooks.ema.momentum': 0.0002})
    runner = build_runner(case.cfg)
    logged = []
    monkeypatch.setattr(runner.logger, 'warning', logged.append)
    check_before_training(runner, case.cfg)
    assert 'momentum=0.0002; leave custom_hooks.ema out.' in logged[0]


def test_what_a_data_set_leaves_out_is_a_warning(make, tmp_path):
    (tmp_path / 'data/train/red/._1.png').touch()
    pictures = dict(type='UnlabelledImages', data_root=str(tmp_path / 'data/train'))
    case = make({'train_dataloader.dataset': dict(_delete_=True, pipeline=[], **pictures)})
    (warning,) = (f for _, f in examine(case, ['data']) if f.level == 'warning')
    assert warning.sentence.startswith('train: ') and '._1.png' in warning.sentence


@pytest.mark.parametrize('split, level', [('train', 'warning'), ('val', 'error')])
def test_a_picture_that_cannot_be_read(split, level, make, tmp_path):
    """Training goes on without it, an evaluation does not."""
    cut(tmp_path / f'data/{split}/red/1.png')
    found = [f for _, f in examine(make(), ['pictures']) if f.level != 'ok']
    assert [f.level for f in found] == [level]
    assert f'{split}: 1 of 12 sampled' in found[0].sentence and 'red/1.png' in found[0].sentence


def test_the_best_checkpoint_by_a_metric_that_is_not_measured(make):
    case = make({'default_hooks.checkpoint.save_best': 'accuracy/top5'})
    (error,) = (f for _, f in examine(case, ['one step']) if f.level == 'error')
    assert "found 'accuracy/top5'; set it to one of accuracy/top1." in error.sentence


def test_what_has_been_told_is_not_tried(make):
    several = make({'model.data_preprocessor.num_classes': 1000})
    *_, (_, finding) = examine(several, ['classes', 'one step'])
    assert finding.level == 'note' and 'told above' in finding.sentence
    *_, (_, finding) = examine(make({'val_evaluator.topk': (5,)}), ['metrics', 'one step'])
    assert finding.level == 'ok' and finding.sentence.startswith('Loss')


def test_every_point_that_a_run_asks_is_one_of_the_doctors(make):
    from bootmae_mm.preflight.doctor.checkup import AT_START

    assert {*AT_START} < {*POINTS} and {*LOOKED_AT} < {*POINTS}
