"""The plan of a run: its arithmetic in closed form, and real steps of tiny configs."""

import json
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.registry import MODELS, DefaultScope
from torch.utils.data import BatchSampler

from bootmae_mm.data.sampling import EpochSampler
from bootmae_mm.data.synthetic import generated
from bootmae_mm.engine.hooks import hook_list
from bootmae_mm.preflight.planning import measuring
from bootmae_mm.preflight.planning.arithmetic import (
    Measurement,
    Recipe,
    batches_per_epoch,
    make_plan,
)
from bootmae_mm.preflight.planning.planner import plan_run
from bootmae_mm.preflight.planning.recipe import (
    load_measurement,
    recipe_of,
    save_measurement,
    settings_of,
)
from bootmae_mm.preflight.planning.text import cores
from bootmae_mm.pretrain.teacher import MomentumTeacher
from tests.helpers.dense_data import tiny_det, tiny_seg
from tests.helpers.labelled_data import load_tool, tiny_run, write_pictures
from tests.helpers.paths import ROOT
from tests.helpers.runs import run_config

IMAGENET = 1_281_167
RECIPE = Recipe(
    images=1000,
    batch=4,
    total_batch=32,
    epochs=3,
    iterations=None,
    workers=2,
    whole_steps=False,
    drop_last=True,
)
MEASURED = Measurement(
    settings={},
    machine='a GPU',
    date='2026-01-01',
    batch=4,
    seconds=[0.3, 0.1, 0.1],
    peak_bytes=3000,
    fixed_bytes=1000,
    data_rate=50.0,
    data_source='files',
    images=None,
)


def config(name: str) -> Config:
    return Config.fromfile(ROOT / f'configs/{name}.py')


def store(path: Path, cfg: Config, **changes) -> str:
    save_measurement(replace(MEASURED, settings=settings_of(cfg), **changes), str(path))
    return str(path)


def test_the_papers_step_gives_the_cost_that_the_config_names(tmp_path):
    """Table 5: 0.660 s for 256 images on one A100; 1,281,167 / 256 × 0.660 s × 800 = 734 hours,
    of which an epoch of whole total batches leaves out 1 - 312 × 4096 / 1,281,167 = 0.25 %."""
    cfg = config('pretrain/bootmae_vitb_800e')
    path = store(tmp_path / 'a100.json', cfg, batch=256, seconds=[0.66], data_rate=100.0)
    for gpus, accumulated in ((1, 16), (8, 2), (16, 1)):
        recipe, _, plan = plan_run(cfg, gpus, path, None, print)
        assert recipe.images == IMAGENET and plan.accumulated == accumulated
        assert plan.batches == 800 * 312 * accumulated and plan.keeps_up
        assert plan.gpu_hours == pytest.approx(800 * 312 * 16 * 0.660 / 3600)
        assert plan.gpu_hours == pytest.approx(734, rel=3e-3)
        assert plan.hours == pytest.approx(plan.gpu_hours / gpus)
    with pytest.raises(ValueError, match='total batch of 4096, found .*=256 × 3 processes'):
        plan_run(cfg, 3, path, None, print)


@pytest.mark.parametrize('images', [100, 101, 127, 128, 131])
@pytest.mark.parametrize('gpus', [1, 3, 4])
def test_an_epoch_has_the_batches_that_the_samplers_deal_out(images, gpus, monkeypatch):
    for module in ('mmengine.dataset.sampler', 'bootmae_mm.data.sampling'):
        monkeypatch.setattr(f'{module}.get_dist_info', lambda: (gpus - 1, gpus))
    total = 24 * gpus
    recipe = replace(RECIPE, images=images, batch=8, total_batch=total)
    default = DefaultSampler(range(images), seed=0)
    for drop_last in (True, False):
        dealt = len(list(BatchSampler(default, 8, drop_last)))
        assert batches_per_epoch(replace(recipe, drop_last=drop_last), gpus) == dealt
    whole = EpochSampler(range(images), total, seed=0)
    dealt = len(list(BatchSampler(whole, 8, True)))
    assert batches_per_epoch(replace(recipe, whole_steps=True), gpus) == dealt


def test_an_epoch_without_a_batch_is_refused():
    with pytest.raises(ValueError, match='at least one batch, found 6 images for 2 GPUs'):
        batches_per_epoch(replace(RECIPE, images=6), 2)


def test_the_slower_of_model_and_data_sets_the_pace():
    """40 images/s of a GPU, 50 of a worker; 3 epochs of 125 batches of 4 on 2 GPUs."""
    fast = make_plan(RECIPE, MEASURED, 2)
    assert (fast.accumulated, fast.batches, fast.workers_needed) == (4, 375, 1)
    assert (fast.model_rate, fast.loaded_rate) == pytest.approx((40, 100))
    assert fast.keeps_up and fast.hours == pytest.approx(1500 / 40 / 3600)
    slow = make_plan(RECIPE, replace(MEASURED, data_rate=15.0), 2)
    assert not slow.keeps_up and slow.workers_needed == 3
    assert slow.hours == pytest.approx(1500 / 30 / 3600)
    assert slow.hours_without_waiting == pytest.approx(fast.hours)
    sentence = '8 for 2 GPUs: a GPU needs 3 to load, at 15 images/s each, and 1 to train'
    assert cores(replace(MEASURED, data_rate=15.0), slow) == sentence
    serial = make_plan(replace(RECIPE, workers=0), MEASURED, 2)
    assert not serial.keeps_up and serial.hours == pytest.approx(1500 * (1 / 40 + 1 / 50) / 3600)


def test_iterations_are_batches_of_every_gpu():
    recipe = replace(RECIPE, epochs=None, iterations=700, total_batch=8)
    plan = make_plan(recipe, MEASURED, 2)
    assert plan.batches == 700 and plan.hours == pytest.approx(700 * 0.1 / 3600)
    assert plan.gpu_hours == pytest.approx(2 * plan.hours)
    with pytest.raises(ValueError, match='An iteration-based recipe needs its total batch of 8'):
        make_plan(recipe, MEASURED, 1)


def test_memory_beside_the_fixed_part_grows_with_the_batch():
    assert make_plan(RECIPE, MEASURED, 1).memory_bytes == 3000
    plan = make_plan(replace(RECIPE, batch=16), MEASURED, 1)
    assert plan.memory_bytes == 1000 + 4 * 2000


def test_what_the_configs_say():
    recipes = {
        'pretrain/bootmae_vitl_300e': (128, 4096, 300, None, 8, True, True),
        'finetune/bootmae_vitb_finetune_100e': (256, 2048, 100, None, 8, False, True),
        'linear/bootmae_vitb_linear_90e_depth_sweep': (1024, 16384, 90, None, 8, False, True),
        'seg/upernet_bootmae_vitb_160k': (2, 16, None, 160_000, 4, False, False),
        'det/mask_rcnn_bootmae_vitb_1x': (2, 16, 12, None, 4, False, False),
    }
    for name, expected in recipes.items():
        assert recipe_of(config(name), 5) == Recipe(5, *expected)
    with pytest.raises(ValueError, match='Expected a config that trains'):
        recipe_of(Config(dict(model=dict())), 5)
    with pytest.raises(ValueError, match='found no TotalBatchHook'):
        loader = dict(batch_size=2)
        recipe_of(Config(dict(train_dataloader=loader, train_cfg=dict(max_iters=1))), 5)


def test_a_measurement_is_taken_for_its_own_model_only(tmp_path):
    cfg = config('finetune/bootmae_vitb_finetune_100e')
    path = store(tmp_path / 'a.json', cfg)
    assert load_measurement(path, cfg).seconds == MEASURED.seconds
    same = {'model.backbone.init_cfg': None, 'train_cfg.max_epochs': 7, 'randomness.seed': 3}
    cfg.merge_from_dict(same)
    assert asdict(load_measurement(path, cfg))['fixed_bytes'] == 1000
    for edit, sentence in (
        ({'model.backbone.arch': 'large'}, "arch='base' where the config has 'large'"),
        ({'optim_wrapper.dtype': 'float16'}, "dtype='bfloat16' where the config has 'float16'"),
        ({'train_pipeline': []}, None),
        ({'train_dataloader.dataset.pipeline': []}, 'pipeline=None where the config has []'),
        ({'custom_hooks': [dict(type='BlockCheckpointHook')]}, 'custom_hooks'),
    ):
        other = config('finetune/bootmae_vitb_finetune_100e')
        other.merge_from_dict(edit)
        if sentence is None:
            load_measurement(path, other)
            continue
        with pytest.raises(ValueError) as error:
            load_measurement(path, other)
        assert sentence in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize('listed', [False, True])
def test_a_measurement_knows_the_hooks_that_act_in_the_steps_by_their_number(listed):
    """So does a file that is kept from when configs listed them."""
    cfg = config('pretrain/bootmae_vitb_800e')
    cfg.custom_hooks.update(feature_weight=None, probes=dict(type='OnlineProbeHook'))
    cfg.custom_hooks.compile = dict(type='CompileBlocksHook')
    if listed:
        cfg.custom_hooks = hook_list(cfg.custom_hooks)
    kinds = ('MomentumTeacher', 'GradNorm', 'ImageReport', 'DataWait', 'Health', 'CompileBlocks')
    found = {k: v for k, v in settings_of(cfg).items() if k.endswith('.type') and 'hooks' in k}
    assert found == {f'custom_hooks.{i}.type': f'{kind}Hook' for i, kind in enumerate(kinds)}


@pytest.mark.parametrize('content', ['', '[]', '{"batch": 2}', '{"seconds": [1]} x'])
def test_a_file_that_is_no_measurement_is_refused(content, tmp_path):
    (tmp_path / 'a.json').write_text(content)
    with pytest.raises(ValueError, match='Expected a measurement with batch, .*; write it with'):
        load_measurement(str(tmp_path / 'a.json'), config('pretrain/bootmae_vitb_800e'))


@pytest.fixture
def brief(monkeypatch):
    """One step of warm-up and two that count."""
    monkeypatch.setattr(measuring, 'WARM_UP', 1)
    monkeypatch.setattr(measuring, 'STEPS', 2)
    monkeypatch.setattr(measuring, 'IMAGES', 5)
    monkeypatch.setattr(generated, 'DISTINCT', 2)


def state_bytes(cfg: Config, copies: int) -> int:
    """Weights and buffers, for each trained parameter a gradient and two moments of Adam with a
    counter, and averaged copies of it all."""
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    weights = sum(tensor.nbytes for tensor in model.state_dict().values())
    trained = [p for p in model.parameters() if p.requires_grad]
    return (1 + copies) * weights + sum(3 * p.nbytes + 4 for p in trained)


def test_pretraining_is_measured_with_its_teacher(brief, tmp_path, monkeypatch):
    updates, follow = [], MomentumTeacher.follow

    def counted(*args):
        update = follow(*args)
        return lambda: updates.append(update())

    monkeypatch.setattr(MomentumTeacher, 'follow', counted)
    cfg = run_config(tmp_path / 'nowhere', tmp_path / 'work')
    lines = []
    measured = measuring.measure(cfg, 2, lines.append)
    assert len(updates) == 3 and len(measured.seconds) == 2
    assert measured.batch == 2 and measured.images is None
    assert measured.fixed_bytes == state_bytes(cfg, copies=0)
    assert measured.data_rate > 0 and 'generated JPEGs of 500 × 375' in measured.data_source
    assert sum(line.endswith('not counted') for line in lines) == 1
    assert cfg.train_dataloader.batch_size == 4 and not (tmp_path / 'work').exists()


def test_own_images_are_measured_and_counted(brief, tmp_path):
    """Also the averaged weights of fine-tuning."""
    root = write_pictures(tmp_path / 'data')
    cfg = tiny_run('finetune/bootmae_vitb_finetune_100e', root, tmp_path / 'work')
    measured = measuring.measure(cfg, None, print)
    assert (measured.images, measured.batch, measured.data_source) == (12, 4, str(root))
    counter = 8  # the average's number of updates
    assert measured.fixed_bytes == state_bytes(cfg, copies=1) + counter
    with pytest.raises(ValueError, match='one batch of 13 images, found 12 in'):
        measuring.measure(cfg, 13, print)


def test_the_training_set_is_counted_where_it_is(tmp_path):
    """Here, or where it was measured, or by its publishers, in this order."""
    root = write_pictures(tmp_path / 'data')
    here = tiny_run('finetune/bootmae_vitb_finetune_100e', root, tmp_path / 'work')
    there = deepcopy(here)
    there.train_dataloader.dataset.update(data_root=str(tmp_path / 'gone'))
    known, unknown = (store(tmp_path / f'{n}.json', here, images=n) for n in (77, None))
    assert plan_run(here, 1, known, None, print)[0].images == 12
    assert plan_run(there, 1, known, None, print)[0].images == 77
    with pytest.raises(ValueError, match='ImageFolders, whose size is not known'):
        plan_run(there, 1, unknown, None, print)
    there.model.data_preprocessor.num_classes = 1000
    unknown = store(tmp_path / 'imagenet.json', there, images=None)
    assert plan_run(there, 1, unknown, None, print)[0].images == IMAGENET


@pytest.mark.parametrize('kind', ['linear', 'seg', 'det'])
def test_every_task_is_measured_on_generated_pictures(kind, brief, tmp_path):
    nowhere, work = tmp_path / 'nowhere', tmp_path / 'work'
    makers = dict(
        linear=lambda: tiny_run('linear/bootmae_vitb_linear_90e_depth_sweep', nowhere, work),
        seg=lambda: tiny_seg(nowhere, work),
        det=lambda: tiny_det(nowhere, work),
    )
    measured = measuring.measure(makers[kind](), 2, print)
    assert len(measured.seconds) == 2 and measured.data_rate > 0
    size = dict(linear='500 × 375', seg='683 × 512', det='640 × 480')[kind]
    assert f'generated JPEGs of {size}' in measured.data_source


def test_long_steps_are_not_repeated(brief, tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, 'LONGEST', 0.0)
    lines = []
    cfg = run_config(tmp_path / 'nowhere', tmp_path / 'work')
    assert len(measuring.measure(cfg, 2, lines.append).seconds) == 1
    assert sum(line.startswith('step ') for line in lines) == 2


def test_a_batch_larger_than_the_memory_is_a_sentence(brief, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise torch.cuda.OutOfMemoryError('CUDA out of memory.')

    monkeypatch.setattr('bootmae_mm.pretrain.bootmae.BootMAE.loss', fail)
    cfg = run_config(tmp_path / 'nowhere', tmp_path / 'work')
    with pytest.raises(ValueError, match='a batch of 2 images to fit .* smaller --batch'):
        measuring.measure(cfg, 2, print)


def test_the_command(brief, tmp_path, capsys):
    cfg = run_config(tmp_path / 'nowhere', tmp_path / 'work', total=8, batch=4, epochs=2)
    path, saved = str(tmp_path / 'tiny.py'), str(tmp_path / 'saved.json')
    cfg.dump(path)
    tool = load_tool('plan')
    tool.main([path, '--gpus', '2', '--save', saved])
    first = capsys.readouterr().out
    assert 'step 3 of 3: ' in first and 'as there is no' in first
    assert '  total batch      8 = 4 per GPU × 2 GPUs × 1 accumulated' in first
    assert f'2 epochs × {IMAGENET // 8:,} optimiser steps; {IMAGENET // 8 * 16:,} images' in first
    assert 'DOES NOT KEEP UP' in first and 'with num_workers=0 it waits' in first
    tool.main([path, '--gpus', '2', '--measured', saved])
    second = capsys.readouterr().out
    assert second.splitlines()[1:] == first.split('\n\n', 1)[1].splitlines()
    tool.main(
        [path, '--gpus', '1', '--measured', saved]
        + ['--cfg-options', 'train_dataloader.num_workers=100']
    )
    third = capsys.readouterr().out
    assert 'keeps up' in third and '× 2 accumulated' in third and '1 GPU × ' in third
    assert '  cores            ' in third
    content = json.loads(Path(saved).read_text())
    assert content['settings']['model.backbone.patch_size'] == 8


@pytest.mark.parametrize(
    'arguments, sentence',
    [
        (['configs/no.py', '--gpus', '8'], "found no file 'configs/no.py'"),
        (['CONFIG', '--gpus', '0'], '--gpus expects a number from 1 up, found 0'),
        (['CONFIG', '--gpus', '1', '--batch', '-1'], '--batch expects a number from 1 up'),
        (['CONFIG', '--gpus', '1', '--measured', __file__, '--save', 'b'], 'leave out --save'),
        (['CONFIG', '--gpus', '7'], 'total batch of 4096, found'),
        (['CONFIG', '--gpus', '8', '--measured', 'no.json'], "found no file 'no.json'"),
        (['CONFIG', '--gpus', '8', '--save', 'no/a.json'], 'a folder that exists, found none'),
    ],
)
def test_a_wrong_command_is_a_sentence(arguments, sentence, capsys):
    path = str(ROOT / 'configs/pretrain/bootmae_vitb_800e.py')
    with pytest.raises(SystemExit):
        load_tool('plan').main([path if part == 'CONFIG' else part for part in arguments])
    assert sentence in capsys.readouterr().err.replace('\n', ' ')
