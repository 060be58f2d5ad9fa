"""Which differences between two configs matter to a run that goes on."""

import json

import pytest
from mmengine.config import Config

from bootmae_mm.engine.hooks import hook_list, named_hooks
from bootmae_mm.engine.resume.changes import changes, snapshot
from tests.helpers.paths import ROOT


def config() -> Config:
    return Config.fromfile(ROOT / 'configs/pretrain/bootmae_vitb_800e.py')


def found(edit) -> tuple[list[str], list[str]]:
    """Relevant and harmless changes after an edit, as text."""
    cfg = config()
    edit(cfg)
    relevant, harmless = changes(snapshot(config()), snapshot(cfg))
    return [str(change) for change in relevant], [str(change) for change in harmless]


@pytest.mark.parametrize(
    ('key', 'value', 'said'),
    [
        ('optim_wrapper.optimizer.lr', 2e-3, 'optim_wrapper.optimizer.lr: 0.0024 -> 0.002'),
        (
            'train_dataloader.sampler.total_batch_size',
            8,
            'train_dataloader.sampler.total_batch_size: 4096 -> 8',
        ),
        ('train_cfg.max_epochs', 4, 'train_cfg.max_epochs: 800 -> 4'),
        ('randomness.seed', 1, 'randomness.seed: 0 -> 1'),
        ('model.backbone.drop_path_rate', 0.1, 'model.backbone.drop_path_rate: (not there) -> 0.1'),
        (
            'train_dataloader.dataset.pipeline.2.num_masked',
            9,
            'train_dataloader.dataset.pipeline.BlockwiseMasking.num_masked: 147 -> 9',
        ),
        (
            'custom_hooks.total_batch.total_batch_size',
            8,
            'custom_hooks.TotalBatchHook.total_batch_size: 4096 -> 8',
        ),
        ('param_scheduler.1.eta_min', 0, 'param_scheduler.CosineAnnealingLR.eta_min: 0.0001 -> 0'),
        ('auto_scale_lr.enable', True, 'auto_scale_lr.enable: (not there) -> true'),
        ('data_preprocessor.to_rgb', True, 'data_preprocessor.to_rgb: (not there) -> true'),
    ],
)
def test_what_a_step_depends_on(key, value, said):
    assert found(lambda cfg: cfg.merge_from_dict({key: value})) == ([said], [])


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('train_dataloader.batch_size', 16),
        ('train_dataloader.num_workers', 3),
        ('train_dataloader.persistent_workers', None),
        ('train_dataloader.pin_memory', None),
        ('train_dataloader.prefetch_factor', 9),
        ('train_cfg.type', 'EpochBasedTrainLoop'),
        ('train_cfg.val_begin', 3),
        ('train_cfg.val_interval', 3),
        ('default_hooks.logger.interval', 7),
        ('default_hooks.checkpoint.max_keep_ckpts', 5),
    ],
)
def test_what_no_step_depends_on(key, value):
    relevant, harmless = found(lambda cfg: cfg.merge_from_dict({key: value}))
    assert relevant == [] and len(harmless) == 1 and harmless[0].startswith(f'{key}: ')


def test_where_a_run_is_written_and_started_from_is_no_change():
    def edit(cfg):
        cfg.update(work_dir='elsewhere', launcher='slurm', resume=True, log_level='DEBUG')
        cfg.max_epochs = 3  # a variable for inheritance, which nothing reads

    assert found(edit) == ([], [])


@pytest.mark.parametrize(
    'name',
    [
        *('DataCheckHook', 'DataWaitHook', 'GradNormHook', 'HealthHook', 'ImageReportHook'),
        *('PicturesHook', 'OnlineProbeHook', 'ReportHook', 'StopOnSignalHook'),
        'BlockCheckpointHook',
    ],
)
def test_a_hook_that_only_reports_may_come_and_go(name):
    """Go where it is among the hooks, else come."""

    def edit(cfg):
        hooks = hook_list(cfg.custom_hooks)
        others = [hook for hook in hooks if hook.type != name]
        there = len(others) < len(hooks)
        cfg.custom_hooks = others if there else [*others, dict(type=name)]

    relevant, harmless = found(edit)
    assert relevant == []
    assert any(change.startswith(f'custom_hooks.{name}.type: ') for change in harmless)


@pytest.mark.parametrize('name', ['report', 'stall', 'stop', 'timer'])
def test_a_default_hook_that_only_reports_may_come_and_go(name):
    relevant, harmless = found(lambda cfg: cfg.default_hooks.pop(name))
    assert relevant == [] and [change.partition(':')[0] for change in harmless] == [
        f'default_hooks.{name}.type'
    ]


def test_a_hook_that_trains_may_not():
    relevant, _ = found(lambda cfg: cfg.custom_hooks.update(feature_weight=None))
    assert 'custom_hooks.FeatureWeightHook.weight: 1.0 -> (not there)' in relevant
    relevant, harmless = found(lambda cfg: cfg.default_hooks.pop('param_scheduler'))
    assert len(relevant) == 1 and harmless == []


@pytest.mark.parametrize(
    ('name', 'hook'),
    [
        ('report', None),
        ('report', dict(type='ReportHook', interval=9)),
        ('mine', dict(type='HealthHook', patience=9)),
        ('mine', dict(type='DurableCheckpointHook')),
    ],
)
def test_a_default_hook_that_only_reports_may_change_and_have_any_name(name, hook):
    relevant, harmless = found(lambda cfg: cfg.default_hooks.update({name: hook}))
    assert relevant == [] and harmless


def test_a_default_hook_that_only_reports_is_none_that_did_more():
    relevant, _ = found(lambda cfg: cfg.default_hooks.update(sampler_seed=dict(type='HealthHook')))
    assert [change.partition(':')[0] for change in relevant] == ['default_hooks.sampler_seed.type']


@pytest.mark.parametrize('name', ['EMAHook', 'NobodysHook', 'mmdet.MeanTeacherHook'])
def test_a_hook_that_says_nothing_of_itself_may_change_the_result(name):
    relevant, _ = found(lambda cfg: cfg.custom_hooks.update(mine=dict(type=name)))
    assert relevant == [f'custom_hooks.{name}.type: (not there) -> "{name}"']


def test_the_names_of_hooks_are_no_change():
    """Listed, as all configs had them once and checkpoints of then do, or under another name."""

    def listed(cfg):
        cfg.custom_hooks = hook_list(cfg.custom_hooks)

    def renamed(cfg):
        cfg.custom_hooks = {f'my_{n}': hook for n, hook in named_hooks(cfg.custom_hooks).items()}

    for edit in (listed, renamed):
        cfg = config()
        edit(cfg)
        assert snapshot(cfg) == snapshot(config())
    kinds = [hook['type'] for hook in json.loads(snapshot(config()))['custom_hooks']]
    assert kinds[:2] == ['TotalBatchHook', 'MomentumTeacherHook'] and len(kinds) == 8


def test_the_order_of_a_pipeline_counts():
    def edit(cfg):
        pipeline = cfg.train_dataloader.dataset.pipeline
        pipeline[1], pipeline[2] = pipeline[2], pipeline[1]

    relevant, _ = found(edit)
    assert len(relevant) == 1 and 'pipeline.order: ["LoadAnyImage", "RandomCropFlip"' in relevant[0]


def test_a_snapshot_is_plain_data():
    assert json.loads(snapshot(config()))['randomness'] == {'seed': 0}


def test_a_detector_of_before_goes_on():
    """mmdet's data set and the warm-up by epochs have successors."""
    new = Config.fromfile(ROOT / 'configs/det/mask_rcnn_bootmae_vitb_1x.py')
    old = Config.fromfile(ROOT / 'configs/det/mask_rcnn_bootmae_vitb_1x.py')
    dataset = old.train_dataloader.dataset
    dataset.type, dataset.pipeline[0].type = 'CocoDataset', 'LoadImageFromFile'
    old.param_scheduler[0] = dict(
        type='LinearLR', start_factor=1e-3, begin=0, end=500 / 7330, by_epoch=True,
        convert_to_iter_based=True,
    )  # fmt: skip
    relevant, harmless = changes(snapshot(old), snapshot(new))
    assert relevant == [] and len(harmless) > 3
    old.param_scheduler[1].gamma = 0.2
    assert [change.key for change in changes(snapshot(old), snapshot(new))[0]] == [
        'param_scheduler.MultiStepLR.gamma'
    ]


def test_a_segmentor_of_before_goes_on():
    new = Config.fromfile(ROOT / 'configs/seg/upernet_bootmae_vitb_160k.py')
    old = Config.fromfile(ROOT / 'configs/seg/upernet_bootmae_vitb_160k.py')
    dataset = old.train_dataloader.dataset
    dataset.type, dataset.pipeline[0].type = 'ADE20KDataset', 'LoadImageFromFile'
    dataset.pipeline[1] = dict(type='LoadAnnotations')
    dataset.pipeline[2] = dict(type='CheckSegLabels', num_classes=150)
    relevant, harmless = changes(snapshot(old), snapshot(new))
    assert relevant == [] and len(harmless) == 4
    dataset.pipeline[3].ratio_range = (0.5, 1.5)
    assert len(changes(snapshot(old), snapshot(new))[0]) == 1


def labelled(name: str, dataset: str, loader: str, **settings) -> str:
    """The snapshot of a fine-tuning config with that data set and loader."""
    cfg = Config.fromfile(ROOT / f'configs/{name}.py')
    cfg.train_dataloader.dataset.update(type=dataset, **settings)
    cfg.train_dataloader.dataset.pipeline[0].type = loader
    return snapshot(cfg)


@pytest.mark.parametrize(
    ('name', 'dataset', 'loader'),
    [
        ('finetune/bootmae_vitb_finetune_100e', 'ImageNet', 'LoadImageFromFile'),
        ('linear/bootmae_vitb_linear_90e', 'ImageNet', 'LoadImageFromFile'),
        ('demo/finetune', 'CustomDataset', 'LoadAnyImage'),
    ],
)
def test_a_run_from_before_imagefolders_goes_on(name, dataset, loader):
    before = labelled(name, dataset, loader)
    now = snapshot(Config.fromfile(ROOT / f'configs/{name}.py'))
    relevant, harmless = changes(before, now)
    assert relevant == []
    assert f'train_dataloader.dataset.type: "{dataset}" -> "ImageFolders"' in map(str, harmless)
    assert changes(now, before)[0], 'but not the other way round'
    other = labelled(name, dataset, loader, data_root='elsewhere')
    (root,) = changes(other, now)[0]
    assert root.key == 'train_dataloader.dataset.data_root'
