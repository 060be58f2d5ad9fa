"""The doctor finds every fault of a tiny run, at its point, and none in a sound one."""

import re
from copy import deepcopy
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from packaging.requirements import Requirement

from bootmae_mm.checkpoint.sources import cached_path
from bootmae_mm.engine.resume.changes import snapshot
from bootmae_mm.preflight.doctor import disk, versions, weights
from bootmae_mm.preflight.doctor.case import Case, in_words
from bootmae_mm.preflight.doctor.checkup import POINTS, examine
from bootmae_mm.preflight.doctor.step import reduce_depth, reduce_pictures, reduce_precision
from tests.helpers.images import write_images
from tests.helpers.labelled_data import load_tool
from tests.helpers.models import build_tiny
from tests.helpers.paths import CONFIGS, ROOT
from tests.helpers.runs import run_config


@pytest.fixture
def make(tmp_path):
    """A function from changed settings to a tiny run: 8 pictures in batches of 4, 2 accumulated."""
    folder = write_images(tmp_path / 'pictures', 8)

    def case(edit: dict | None = None, gpus: int = 1) -> Case:
        written = run_config(folder, tmp_path / 'work', epochs=4)
        written.custom_hooks.teacher.milestones = [(0, 0.52), (2, 0.54)]  # for four steps
        cfg = deepcopy(written)
        cfg.merge_from_dict(edit or {})
        return Case(cfg, written, gpus)

    return case


def look(case: Case, point: str) -> list:
    """The findings of one point."""
    return [finding for _, finding in examine(case, [point])]


def test_a_sound_run(make):
    findings = list(examine(make()))
    of_transfer = ('classes', 'metrics', 'normalisation')
    assert list(dict(findings)) == [name for name in POINTS if name not in of_transfer]
    assert {finding.level for name, finding in findings if name != 'versions'} == {'ok'}
    sentences = {name: finding.sentence for name, finding in findings}
    assert 'Learning rate 0.001 = 0.032 × 8 / 256.' in sentences['total batch']
    assert '4 of its pictures, 2 of 3 blocks.' in sentences['one step']


PIPELINE = 'train_dataloader.dataset.pipeline'
# Point, what is changed, level, the sentence.
FAULTS = {
    'a misspelt key': ('config', {'model.backbone.drop_path': 0.1}, 'error', "'drop_path_rate'"),
    'patches that do not fit': (
        'model', {'model.backbone.img_size': 36}, 'error', 'patches that divide the image, found',
    ),
    'heads that do not divide': (
        'model', {'model.backbone.arch.num_heads': 5}, 'error', 'found 5 heads and width 24',
    ),
    'an incomplete encoder': (
        'model', {'model.backbone.arch': dict(_delete_=True, embed_dims=24)}, 'error',
        'in arch, found no num_layers, num_heads, feedforward_channels',
    ),
    'an unknown encoder': (
        'model', {'model.backbone.arch': 'bse'}, 'error', "to be one of .*base.*found 'bse'",
    ),
    'an output that is not there': (
        'model', {'model.backbone.out_indices': [3]}, 'error', r'blocks 0 to 2, found out_.*\[3\]',
    ),
    'a context that is not there': (
        'model', {'model.regressor.context_layer': 3}, 'error', 'blocks 0 to 2, found context_lay',
    ),
    'a decoder narrower than its heads': (
        'model', {'model.regressor.embed_dims': 2}, 'error', 'at least its 3 heads, found .*=2',
    ),
    'a width that 4 does not divide': (
        'model', {'model.regressor.embed_dims': 18}, 'error', 'divisible by 4, found 18',
    ),
    'a teacher that sees too much': (
        'model', {'model.teacher.fraction': 1.5}, 'error', 'at most 1, found fraction=1.5',
    ),
    'a target without a part': (
        'model', {'model.teacher': None}, 'error', 'A target needs all of .*, found no teacher',
    ),
    'everything masked': (
        'pipelines', {f'{PIPELINE}.2.num_masked': 16}, 'error', r'pipeline.2: .* num_masked=16',
    ),
    'a crop larger than the image': (
        'pipelines', {f'{PIPELINE}.1.crop_ratio_range': (0.2, 1.5)}, 'error', 'up to 1',
    ),
    'an unknown precision': (
        'precision', {'optim_wrapper.dtype': 'bf16'}, 'error', "one of .*, found 'bf16'",
    ),
    'a missing folder': (
        'data', {'train_dataloader.dataset.data_root': 'none'}, 'error', "none at 'none/?'",
    ),
    'fewer pictures than a batch': (
        'epoch', {'train_dataloader.sampler.total_batch_size': 16}, 'error', '16 and 8 images',
    ),
    'a batch that cannot be made up': (
        'total batch', {'train_dataloader.batch_size': 3}, 'error', 'total batch of 8, found',
    ),
    'two total batches': (
        'total batch', {'custom_hooks.total_batch.total_batch_size': 16}, 'error', 'found 8 and 16',
    ),
    'a rate of another batch': (
        'total batch', {'custom_hooks.total_batch.total_batch_size': 32,
        'train_dataloader.sampler': dict(total_batch_size=32)}, 'warning',
        'set optim_wrapper.optimizer.lr=0.004',
    ),
    'epochs in a run of iterations': (
        'schedules', {'train_cfg': dict(_delete_=True, type='IterBasedTrainLoop', max_iters=4)},
        'error', r'param_scheduler.0 \(LinearLR\) to count iterations',
    ),
    'checkpoints by epoch in a run of iterations': (
        'schedules', {'train_cfg': dict(_delete_=True, type='IterBasedTrainLoop', max_iters=4)},
        'error', 'checkpoints to be counted in iterations',
    ),
    'iterations in a run of epochs': (
        'schedules', {'param_scheduler.1.by_epoch': False}, 'error', 'end=4 .* counts batches',
    ),
    'a longer run': ('schedules', {'train_cfg.max_epochs': 9}, 'warning', 'after 9 .*end=4'),
    'a shorter run': ('schedules', {'train_cfg.max_epochs': 3}, 'warning', 'after 3 .*end=4'),
    'a warm-up longer than the run': (
        'schedules', {'param_scheduler.0.end': 9, 'param_scheduler.1.begin': 9}, 'error',
        'CosineAnnealingLR.* begin=9, end=4',
    ),
    'a warm-up of less than a step': (
        'schedules', {'param_scheduler.0.end': 0.5, 'param_scheduler.1.begin': 0.5}, 'error',
        r'param_scheduler.0 .* last a step at least, .*0.5 epochs of 1 steps; set .*0.end=1\.',
    ),
    'a teacher that hardly moves': (
        'averages', {'custom_hooks.teacher.milestones': [(0, 0.99), (2, 0.999)]}, 'warning',
        r'98% of its random start is left after 4 .*teacher.milestones=\[\(0, 0.5\), \(2, 0.74\)',
    ),
    'a gap': ('schedules', {'param_scheduler.1.begin': 2}, 'warning', 'begin at 1, .*found 2'),
    'an overlap': ('schedules', {'param_scheduler.1.begin': 0}, 'warning', 'begin at 1, .*found 0'),
    'a decay to a floor over the warm-up': (
        'schedules', {'param_scheduler.1': dict(
            _delete_=True, type='PolyLR', begin=0, end=4, eta_min=1e-4)},
        'warning', 'begin at 1, .*found 0',
    ),
    'a step after the end': (
        'schedules', {'param_scheduler.1': dict(
            _delete_=True, type='MultiStepLR', begin=0, end=4, milestones=[3, 7])},
        'warning', 'within the 4 epochs of the run, found 7;',
    ),
    "another run's milestones": (
        'schedules', {'custom_hooks.teacher.milestones': [(0, 0.999), (100, 0.9999)]}, 'warning',
        r'MomentumTeacherHook within the 4 epochs .*\(100, 0.9999\)',
    ),
    'the complement of a decay': (
        'schedules', {'custom_hooks.teacher.milestones': [(0, 0.001), (2, 0.0001)]}, 'error',
        'close to 1, found .0, 0.001',
    ),
    'a memory that is no share': (
        'schedules',
        {'custom_hooks.teacher': dict(milestones=None, memory=[(0, 0.004), (100, 0.04)])}, 'error',
        r'shares of the run, from 0 to 1, .*found \(0, 0.004\), \(100, 0.04\)',
    ),
    'a memory that lasts': (
        'averages', {'custom_hooks.teacher': dict(milestones=None, memory=[(0, 4)])}, 'warning',
        r'of its random start is left after 4 steps with the memory of .*teacher.memory=\[\(0, ',
    ),
    'no checkpoint to start from': (
        'weights', {'model.backbone.init_cfg': dict(type='PretrainedEncoder', checkpoint='no.pth')},
        'error', "a checkpoint file, found nothing at 'no.pth'",
    ),
    'no checkpoint to load': ('weights', {'load_from': 'no.pth'}, 'error', 'file, found nothing'),
    'images of another size': (
        'one step', {f'{PIPELINE}.1.scale': 40}, 'error', r'images of \(32, 32\) .*\(40, 40\)',
    ),
    'masks of another size': (
        'one step', {f'{PIPELINE}.2.grid': 5}, 'error', '4 × 4 patches, found .* 25 patches',
    ),
    'more targets than masks': (
        'one step', {'model.teacher.fraction': 0.9}, 'error', r'between 1 and 12 .*found 14',
    ),
    'a loss that is not finite': (
        'one step', {'model.data_preprocessor.std': [0.0] * 3}, 'error', 'not finite',
    ),
}  # fmt: skip


@pytest.mark.parametrize('name', FAULTS)
def test_a_fault(name, make):
    point, edit, level, expected = FAULTS[name]
    findings = look(make(edit), point)
    found = [f.sentence for f in findings if f.level == level and re.search(expected, f.sentence)]
    assert len(found) == 1, findings
    assert '\n' not in found[0] and found[0].endswith('.')


# Of the train set, by a part of the config's path.
PICTURES = {
    'demo/pretrain': 8192, 'demo/finetune': 800, 'demo/': 240, 'det/': 117_266, 'seg/': 20_210,
    'photos_segment': 367, 'photos_detect': 120, 'photos_finetune': 5000, 'photos/': 50_000,
    '': 1_281_167,
}  # fmt: skip


# Baselines differ from their neighbours in start and input alone, see test_table_configs.
@pytest.mark.parametrize(
    'path',
    [c for c in CONFIGS if 'baselines' not in c.split('/')],
)
def test_no_false_alarm(path):
    """For the number of steps that the recipes have on the published sets."""
    cfg = Config.fromfile(ROOT / path)
    case = Case(cfg, cfg, gpus=1 if 'demo' in path or 'photos' in path else 8)
    pictures = next(count for part, count in PICTURES.items() if part in path)
    case.batches = pictures // case.gpus // cfg.train_dataloader.batch_size
    points = ['model', 'pipelines', 'precision', 'classes', 'total batch', 'epoch', 'schedules']
    findings = list(examine(case, [*points, 'averages']))
    found = [f.sentence for _, f in findings if f.level not in ('ok', 'note')]
    if 'pretrain/mae/' in path and '_feature_' in path:  # the features of a model that is not there
        assert len(found) == 1 and 'mae_vitb_800e/epoch_800.pth' in found[0]
    else:
        assert found == []


def test_a_milestone_after_the_end_is_noted(make):
    milestones = [(0, 0.52), (2, 0.54), (9, 0.9999)]
    first, second = look(make({'custom_hooks.teacher.milestones': milestones}), 'schedules')
    assert first.level == 'note' and 'a decay of 0.9999 (epoch 9)' in first.sentence
    assert second.level == 'ok'


def test_no_point_hides_the_next(make, monkeypatch):
    def fail(case):
        yield from ()
        raise KeyError('size')

    monkeypatch.setitem(POINTS, 'model', fail)
    findings = dict(examine(make(), ['config', 'model', 'pipelines']))
    assert [finding.level for finding in findings.values()] == ['ok', 'error', 'ok']
    assert findings['model'].sentence == "KeyError: 'size'."


def test_what_needs_the_model_says_that_there_is_none(make):
    case = make({'model.backbone.img_size': 36})
    for point in ('disk space', 'one step'):
        (finding,) = look(case, point)
        assert finding.level == 'note' and 'the model cannot be built' in finding.sentence


def test_the_errors_of_registries_are_cut():
    error = ValueError('class `A` in a/b.py: class `B` in c.py: The width is odd')
    assert in_words(error) == 'The width is odd.'


# Versions ----------------------------------------------------------------------------------------


def test_a_version_out_of_range():
    pillow = version('pillow')
    declared = [Requirement(text) for text in (f'pillow<{pillow}', 'numpy>=1', 'nothing-such>=1')]
    extra = Requirement('torch<1; extra == "gpu"')
    bad, good = versions.compare([*declared, extra], ())
    assert bad.level == 'error' and f'found {pillow};' in bad.sentence
    assert f'numpy {version("numpy")}' in good.sentence and 'pillow' not in good.sentence
    assert len(list(versions.compare([extra], ('gpu',)))) == 2


def test_two_families_at_once(make, monkeypatch):
    monkeypatch.setattr(versions, 'version', lambda name: '1')
    assert any('one family of OpenMMLab' in f.sentence for f in look(make(), 'versions'))


def test_operators_are_asked_for_where_they_are_needed(monkeypatch):
    monkeypatch.setattr(versions, 'find_spec', lambda name: None)
    assert not list(versions.check_operators('mmpretrain'))
    sentences = [finding.sentence for finding in versions.check_operators('mmdet')]
    assert len(sentences) == 2 and 'mmdet' in sentences[0] and 'compiled' in sentences[1]


# Weights -----------------------------------------------------------------------------------------


def test_weights_to_start_from(make, tmp_path):
    state, path = build_tiny(seed=1).state_dict(), str(tmp_path / 'weights.pth')
    torch.save(state, path)
    encoder = dict(type='PretrainedEncoder', checkpoint=path)
    findings = look(make({'load_from': path, 'model.backbone.init_cfg': encoder}), 'weights')
    assert [finding.level for finding in findings] == ['ok', 'ok']
    num_encoder = sum(name.startswith('backbone.') for name in state)
    assert f'loaded {num_encoder}/{num_encoder} encoder tensors' in findings[0].sentence
    assert f'has {len(state)}/{len(state)} tensors' in findings[1].sentence


def test_pictures_are_normalised_as_in_the_pretraining(make, tmp_path):
    path = str(leave_run(make()))
    start = {'model.backbone.init_cfg': dict(type='PretrainedEncoder', checkpoint=path)}
    (finding,) = look(make(start), 'normalisation')
    assert finding.level == 'ok' and path in finding.sentence
    others = {'mean 100, 110, 120': [100, 110, 120], 'neither mean nor std': None}
    for found, mean in others.items():
        (finding,) = look(make(start | {'model.data_preprocessor.mean': mean}), 'normalisation')
        assert finding.level == 'warning'
        expected = rf'by mean 127.5, 127.5, 127.5, std 127.5, .*found {found}.*; set mean and std'
        assert re.search(expected, finding.sentence)


@pytest.mark.parametrize('content', [{}, dict(meta={}), dict(meta=dict(training='{}'))])
def test_weights_that_do_not_say_how_their_pictures_were_normalised(content, make, tmp_path):
    path = str(tmp_path / 'weights.pth')
    torch.save(dict(content, state_dict=build_tiny(seed=1).state_dict()), path)
    start = {'model.backbone.init_cfg': dict(type='PretrainedEncoder', checkpoint=path)}
    for edit in ({}, {'model.data_preprocessor.mean': None}):
        assert look(make(start | edit), 'normalisation') == []


def test_weights_of_two_encoders(make, tmp_path):
    """As training takes them: not without a prefix."""
    state, path = build_tiny(seed=1).backbone.state_dict(), str(tmp_path / 'weights.pth')
    torch.save(dict(student=state, teacher=state), path)
    encoder = dict(type='PretrainedEncoder', checkpoint=path)
    (finding,) = look(make({'model.backbone.init_cfg': encoder}), 'weights')
    assert finding.level == 'error' and "'student.' (42 tensors" in finding.sentence
    encoder['prefix'] = 'teacher.'
    (finding,) = look(make({'model.backbone.init_cfg': encoder}), 'weights')
    assert finding.level == 'ok' and 'loaded 42/42' in finding.sentence


def test_weights_on_the_web_are_not_fetched(make, tmp_path, monkeypatch):
    """They are looked at once they are there."""
    monkeypatch.setattr(torch.hub, '_hub_dir', str(tmp_path))
    monkeypatch.setattr(weights, 'announced_bytes', lambda url: 343_000_000)
    url = 'https://a.invalid/vit.pth'
    case = make({'model.backbone.init_cfg': dict(type='PretrainedEncoder', checkpoint=url)})
    (finding,) = look(case, 'weights')
    assert finding.level == 'warning' and 'is there (343.0 MB) but not fetched' in finding.sentence
    monkeypatch.setattr(weights, 'announced_bytes', None)  # asks the web, which a start does not
    assert look(case, 'normalisation') == []
    path = cached_path(url)
    assert not path.exists() and repr(str(path)) in finding.sentence
    path.parent.mkdir(parents=True)
    torch.save(build_tiny(seed=1).backbone.state_dict(), path)
    (finding,) = look(case, 'weights')
    assert finding.level == 'ok' and 'loaded 42/42' in finding.sentence


@pytest.mark.parametrize('prefix, level', [('backbone.', 'warning'), ('other.', 'error')])
def test_weights_that_fit_in_part(prefix, level, make, tmp_path):
    """mmengine's runner takes them, ours does not."""
    state, path = build_tiny(seed=1).state_dict(), str(tmp_path / 'weights.pth')
    kept = {n: v for n, v in state.items() if n.startswith('backbone.')}
    torch.save({n.replace('backbone.', prefix): v for n, v in kept.items()}, path)
    (finding,) = look(make({'load_from': path, 'runner_type': 'ResumableRunner'}), 'weights')
    assert finding.level == 'error' and 'nothing else, found' in finding.sentence
    (finding,) = look(make({'load_from': path, 'runner_type': 'Runner'}), 'weights')
    count = len(kept) if prefix == 'backbone.' else 0
    assert finding.level == level and f'has {count}/{len(state)} tensors' in finding.sentence


# Disk and work directory -------------------------------------------------------------------------


def test_the_size_of_a_checkpoint(make):
    """Against the bytes of a model's and an optimiser's real state."""
    model, count = build_tiny(), lambda tensors: sum(t.nbytes for t in tensors)
    optimizer = torch.optim.AdamW(p for p in model.parameters() if p.requires_grad)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter) if parameter.requires_grad else None
    optimizer.step()
    states = (state[key] for state in optimizer.state.values() for key in ('exp_avg', 'exp_avg_sq'))
    num_bytes = count(model.state_dict().values())
    assert disk.checkpoint_bytes(make()) == num_bytes + count(states)
    bare = make({'default_hooks.checkpoint.save_optimizer': False})
    assert disk.checkpoint_bytes(bare) == num_bytes
    averaged = make({'custom_hooks': [dict(type='OptimizerStepEMAHook')]})
    assert disk.checkpoint_bytes(averaged) == disk.checkpoint_bytes(make()) + num_bytes


@pytest.mark.parametrize(
    'saving, count',
    [
        (dict(interval=1, max_keep_ckpts=2), 2 + 1),
        (dict(interval=1, max_keep_ckpts=-1), 4 + 1),
        (dict(interval=3, max_keep_ckpts=9, save_best='loss'), 2 + 1 + 1),
        (dict(interval=1, max_keep_ckpts=1, save_best=['loss', 'accuracy']), 1 + 2 + 1),
    ],
)
def test_the_number_of_checkpoints(saving, count, make):
    assert disk.num_checkpoints(make({'default_hooks.checkpoint': saving})) == count


@pytest.mark.parametrize('spare, level', [(-1, 'error'), (0, 'ok')])
def test_disk_space(spare, level, make, monkeypatch, tmp_path):
    case = make({'work_dir': str(tmp_path / 'not' / 'there')})
    free = disk.checkpoint_bytes(case) * disk.num_checkpoints(case) + spare
    asked = []
    monkeypatch.setattr(
        disk.shutil, 'disk_usage', lambda path: asked.append(path) or SimpleNamespace(free=free)
    )
    (finding,) = look(case, 'disk space')
    assert finding.level == level and asked == [tmp_path]


def leave_run(case: Case, name: str = 'epoch_3.pth', **meta) -> Path:
    """The checkpoint that an earlier run of ``case`` leaves behind."""
    folder = Path(case.cfg.work_dir)
    folder.mkdir(exist_ok=True)
    meta = dict(optimizer_steps=12, epoch=3, training=snapshot(case.cfg)) | meta
    torch.save(dict(meta=meta, state_dict={}), folder / name)
    return folder / name


def test_a_folder_without_checkpoints_and_a_file_in_its_place(make):
    case = make()
    (finding,) = look(case, 'work_dir')
    assert finding.level == 'ok' and 'no checkpoint: a new run' in finding.sentence
    Path(case.cfg.work_dir).touch()
    (finding,) = look(case, 'work_dir')
    assert finding.level == 'error' and 'found a file at' in finding.sentence


def test_a_run_to_resume(make):
    case = make()
    leave_run(case)
    (finding,) = look(case, 'work_dir')
    assert finding.level == 'ok'
    assert finding.sentence == 'The run goes on from epoch_3.pth: 12 optimiser steps, 3 epochs.'
    case.cfg.default_hooks.logger.interval = 77
    (finding,) = look(case, 'work_dir')
    assert finding.level == 'ok'
    assert 'without effect: default_hooks.logger.interval: ' in finding.sentence


def test_a_damaged_checkpoint_and_the_one_before(make):
    case = make()
    leave_run(case)
    path = leave_run(case, 'epoch_4.pth', optimizer_steps=16, epoch=4)
    path.write_bytes(path.read_bytes()[:-100])
    first, second = look(case, 'work_dir')
    assert first.level == 'warning' and first.sentence.startswith('epoch_4.pth is left aside')
    assert second.level == 'ok' and 'from epoch_3.pth' in second.sentence


def test_a_changed_run_and_one_of_others(make):
    path = leave_run(make())
    (finding,) = look(make({'optim_wrapper.optimizer.lr': 0.5}), 'work_dir')
    assert finding.level == 'error'
    assert 'found 1 that change the result (optim_wrapper.optimizer.lr: ' in finding.sentence
    torch.save(dict(meta=dict(epoch=3), state_dict={}), path)
    (finding,) = look(make(), 'work_dir')
    assert finding.level == 'error' and 'without its settings' in finding.sentence


# The step's reductions ---------------------------------------------------------------------------


def test_the_blocks_that_are_kept():
    cfg = Config.fromfile(ROOT / 'configs/pretrain/bootmae_vitl_800e.py')
    cfg.model.regressor.context_layer = 5
    assert reduce_depth(cfg.model) == '3 of 24 blocks'
    arch = dict(cfg.model.backbone.arch)
    assert (arch['embed_dims'], arch['num_layers'], arch['num_heads']) == (1024, 3, 16)
    assert (cfg.model.regressor.context_layer, cfg.model.predictor.context_layer) == (1, 2)


def test_the_blocks_that_a_detector_keeps():
    cfg = Config.fromfile(ROOT / 'configs/det/mask_rcnn_bootmae_vitb_1x_windowed.py')
    blocks = sorted({0, 3, 5, 7, 11, *cfg.model.backbone.global_blocks})
    expected = [blocks.index(index) for index in cfg.model.backbone.global_blocks]
    cfg.model.backbone.frozen_stages = 6
    assert reduce_depth(cfg.model) == f'{len(blocks)} of 12 blocks'
    backbone = cfg.model.backbone
    assert backbone.out_indices == [blocks.index(index) for index in (3, 5, 7, 11)]
    assert backbone.global_blocks == expected
    assert backbone.frozen_stages == sum(index < 6 for index in blocks)
    assert reduce_pictures(cfg) == 'pictures of a 4th of the side'
    assert cfg.train_dataloader.dataset.pipeline[2].scale == (333, 200)
    assert reduce_precision(cfg.optim_wrapper) == 'in float32'
    assert cfg.optim_wrapper.dtype == 'float32'


def test_small_things_stay_as_they_are():
    cfg = Config.fromfile(ROOT / 'configs/demo/segment.py')
    assert [reduce_depth(cfg.model), reduce_pictures(cfg), reduce_precision(cfg.optim_wrapper)] == [
        None, None, None,
    ]  # fmt: skip


# The command -------------------------------------------------------------------------------------


@pytest.mark.parametrize('status', [0, 1])
def test_the_command(status, make, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')  # what the tool sets is put back afterwards
    make().cfg.dump(tmp_path / 'tiny.py')
    root = 'none' if status else tmp_path / 'pictures'
    options = ['--cfg-options', f'train_dataloader.dataset.data_root={root}']
    options += ['--work-dir', str(tmp_path / 'new')]
    assert load_tool('doctor').main([str(tmp_path / 'tiny.py'), *options]) == status
    printed = capsys.readouterr().out
    assert f'Problems: {status}, warnings: 0.' in printed
    assert ('data         PROBLEM  train: Expected a folder' in printed) == bool(status)
    assert 'total batch  ok       Total batch 8 = 4 × 1 GPU × 2 accumulated.' in printed


@pytest.mark.parametrize(
    'arguments, sentence',
    [(['configs/no.py'], 'found no file'), (['CONFIG', '--gpus', '0'], 'from 1 up, found 0')],
)
def test_a_wrong_command(arguments, sentence, capsys, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    path = str(ROOT / 'configs/pretrain/bootmae_vitb_800e.py')
    with pytest.raises(SystemExit):
        load_tool('doctor').main([path if part == 'CONFIG' else part for part in arguments])
    assert sentence in capsys.readouterr().err
