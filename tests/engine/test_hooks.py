"""Hooks by name: variants, the command line and users' lists; and what a run registers of them."""

from argparse import Namespace
from pathlib import Path

import pytest
from mmengine.config import Config

from bootmae_mm.command_line import load_config
from bootmae_mm.engine.build import build_runner
from bootmae_mm.engine.hooks import acts_in_steps, changes_training, hook_list
from bootmae_mm.engine.resume.changes import snapshot
from tests.helpers.data_cases import assert_one_sentence
from tests.helpers.images import write_images
from tests.helpers.paths import ROOT
from tests.helpers.runs import run_config

TOTAL, TEACHER = dict(type='TotalBatchHook', total_batch_size=8), dict(type='MomentumTeacherHook')
KINDS = [
    *('TotalBatchHook', 'MomentumTeacherHook', 'FeatureWeightHook', 'GradNormHook'),
    *('ImageReportHook', 'DataWaitHook', 'HealthHook', 'PicturesHook'),
]


def variant(folder: Path, text: str) -> Config:
    """A user's config that is based on ours."""
    base = ROOT / 'configs/pretrain/bootmae_vitb_800e.py'
    (folder / 'mine.py').write_text(f"_base_ = ['{base}']\n{text}")
    return Config.fromfile(folder / 'mine.py')


def test_a_variant_overrides_adds_and_leaves_out_by_name(tmp_path):
    cfg = variant(
        tmp_path,
        'teacher, mine = dict(milestones=[(0, 0.5)]), dict(type="BlockCheckpointHook")\n'
        'custom_hooks = dict(teacher=teacher, health=None, mine=mine)',
    )
    hooks = hook_list(cfg.custom_hooks)
    kept = [kind for kind in KINDS if kind != 'HealthHook']
    assert [hook.type for hook in hooks] == [*kept, 'BlockCheckpointHook']
    assert hooks[0] == dict(type='TotalBatchHook', total_batch_size=4096)
    assert hooks[1] == dict(type='MomentumTeacherHook', milestones=[(0, 0.5)])


def test_a_list_takes_the_place_of_all(tmp_path):
    cfg = variant(tmp_path, f'custom_hooks = [{TOTAL}]')
    assert cfg.custom_hooks == hook_list(cfg.custom_hooks) == [TOTAL]


@pytest.mark.parametrize(
    ('text', 'options'),
    [
        ('', {'total_batch.total_batch_size': 8, 'teacher': None}),
        ('', {'0.total_batch_size': 8, 'teacher': None}),
        (f'custom_hooks = [{TOTAL | dict(total_batch_size=2)}]', {'0.total_batch_size': 8}),
    ],
)
def test_the_command_line_overrides_by_name_or_number(text, options, tmp_path):
    path = variant(tmp_path, text).filename
    options = {f'custom_hooks.{name}': value for name, value in options.items()}
    cfg = load_config(Namespace(config=path, cfg_options=options))
    total, *others = hook_list(cfg.custom_hooks)
    assert total == TOTAL and 'MomentumTeacherHook' not in [hook.type for hook in others]


@pytest.mark.parametrize(
    'base',
    [
        *('pretrain/bootmae_vitl_800e', 'pretrain/mae/mae_vitb_800e', 'demo/segment'),
        *('finetune/bootmae_vitb_finetune_100e', 'linear/bootmae_vitb_linear_90e'),
        *('seg/upernet_bootmae_vitb_160k', 'det/mask_rcnn_bootmae_vitb_1x_checkpointed'),
    ],
)
def test_a_config_may_count_the_hooks_of_its_base(base, tmp_path):
    """As configs do that were written before hooks had names; what is left out does not count."""
    (tmp_path / 'named.py').write_text(
        f"_base_ = ['{ROOT}/configs/{base}.py']\n"
        'custom_hooks = dict(total_batch=dict(total_batch_size=2))\n'
    )
    (tmp_path / 'counted.py').write_text(
        "_base_ = ['named.py']\n"
        'custom_hooks = _base_.custom_hooks\n'
        'custom_hooks[0].update(total_batch_size=8)\n'
        "custom_hooks[1].update(priority='LOW')\n"
    )
    before = hook_list(Config.fromfile(tmp_path / 'named.py').custom_hooks)
    after = hook_list(Config.fromfile(tmp_path / 'counted.py').custom_hooks)
    assert after == [TOTAL, {**before[1], 'priority': 'LOW'}, *before[2:]]


@pytest.mark.parametrize('hooks', [None, [], {}, dict(health=None), {0: {}, '1': None}])
def test_no_hooks(hooks):
    assert hook_list(hooks) == []


@pytest.mark.parametrize(
    ('hooks', 'sentence'),
    [
        (
            dict(total_batch=TOTAL, teacher=TEACHER, tacher=dict(milestones=[])),
            "found 'tacher' without one; the names of the others are total_batch, teacher: ",
        ),
        (dict(mine=dict(interval=3)), "found 'mine' without one; the names of the others are none"),
        ([TOTAL, dict(interval=3)], 'found 1 without one; the names of the others are 0: '),
        (['total_batch', TOTAL], 'found 0 without one'),
        ({'total_batch': TOTAL, '1': dict(interval=3)}, "found '1' without one; the names"),
    ],
)
def test_settings_of_no_hook_are_refused(hooks, sentence):
    with pytest.raises(ValueError) as caught:
        hook_list(hooks)
    assert_one_sentence(caught.value, f'Expected hooks with a type in custom_hooks, {sentence}')


def registered(cfg: Config) -> list[tuple[str, object]]:
    """Class and priority of every hook of a run in its order."""
    return [(type(hook).__name__, hook.priority) for hook in build_runner(cfg).hooks]


def test_a_run_registers_named_hooks_as_it_does_listed_ones(tmp_path):
    folder, cfgs = write_images(tmp_path / 'images', 16), []
    for name in ('named', 'listed'):
        cfg = run_config(folder, tmp_path / name)
        cfg.custom_hooks.grad_norm.priority = 'LOWEST'
        cfgs.append(cfg)
    cfgs[1].custom_hooks = hook_list(cfgs[1].custom_hooks)
    named, listed = map(registered, cfgs)
    written = [Config.fromfile(next(Path(cfg.work_dir).glob('*.py'))) for cfg in cfgs]
    assert written[0].custom_hooks == written[1].custom_hooks == cfgs[1].custom_hooks
    assert named == listed and set(KINDS) < {kind for kind, _ in named}
    assert ('GradNormHook', 'LOWEST') in named


def test_a_run_without_custom_hooks_has_the_settings_that_it_always_had(tmp_path):
    """Else one that began before would not go on."""
    cfg = run_config(write_images(tmp_path / 'images', 16), tmp_path / 'run')
    cfg.pop('custom_hooks')
    assert snapshot(build_runner(cfg).cfg) == snapshot(cfg)


def test_any_named_hook_can_be_left_out_of_a_run(tmp_path):
    """mmengine allows it for the default hooks that it knows itself: timer, but not report."""
    cfg = run_config(write_images(tmp_path / 'images', 16), tmp_path / 'run')
    before = [kind for kind, _ in registered(cfg)]
    cfg.default_hooks.update(timer=None, report=None)
    cfg.custom_hooks.health = None
    left_out = {'IterTimerHook', 'ReportHook', 'HealthHook'}
    assert left_out < set(before)
    assert [kind for kind, _ in registered(cfg)] == [k for k in before if k not in left_out]


@pytest.mark.parametrize(
    ('kind', 'training', 'steps'),
    [
        ('MomentumTeacherHook', True, True),
        ('TotalBatchHook', True, False),
        ('GradNormHook', False, True),
        ('PicturesHook', False, False),
        ('EMAHook', True, True),  # mmengine's, which says nothing
        ('NobodysHook', True, True),
    ],
)
def test_what_a_class_says_of_its_hooks(kind, training, steps):
    assert (changes_training(kind), acts_in_steps(kind)) == (training, steps)
