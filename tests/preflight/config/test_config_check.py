"""Every fault of a config is found, in one sentence with the nearest name; sound ones pass."""

from collections.abc import Sequence

import pytest
from mmengine.config import Config

from bootmae_mm import evaluation, training
from bootmae_mm.preflight.config.annotations import mismatch
from bootmae_mm.preflight.config.check import check_config, config_problems
from bootmae_mm.preflight.config.nearest import nearest
from bootmae_mm.preflight.config.signatures import keywords_of
from tests.helpers.data_cases import assert_one_sentence
from tests.helpers.paths import CONFIGS, ROOT

PRETRAIN, LINEAR = 'configs/pretrain/bootmae_vitb_800e.py', 'configs/demo/finetune.py'
SEG, DET = 'configs/demo/segment.py', 'configs/demo/detect.py'


@pytest.mark.parametrize('path', CONFIGS)
def test_no_false_alarm(path):
    assert config_problems(Config.fromfile(ROOT / path)) == []


def load(path: str, edit: dict) -> Config:
    """A config with settings changed, as on the command line; those set to ``...`` are removed."""
    cfg = Config.fromfile(ROOT / path)
    cfg.merge_from_dict({key: value for key, value in edit.items() if value is not ...})
    for key in (key for key, value in edit.items() if value is ...):
        *owners, name = key.split('.')
        part = cfg
        for owner in owners:
            part = part[int(owner)] if owner.isdigit() else part[owner]
        del part[name]
    return cfg


# Config, what is changed, the sentence.
FAULTS = {
    'a section': (PRETRAIN, {'train_dataloder': dict(batch_size=8)}, "write 'train_dataloader'"),
    'another section': (PRETRAIN, {'optim_wraper.dtype': 'float32'}, "write 'optim_wrapper'"),
    'a plural': (PRETRAIN, {'custom_hook': [dict(type='A')]}, "write 'custom_hooks'"),
    'a spelling': (PRETRAIN, {'visualiser': dict(type='Visualizer')}, "write 'visualizer'"),
    'an environment setting': (PRETRAIN, {'env_cfg.cudnn_benchmrk': 1}, "write 'cudnn_benchmark'"),
    'a seed': (PRETRAIN, {'randomness.sede': 1}, 'settings of randomness, found .sede.*seed'),
    'a scope': (PRETRAIN, {'default_scope': 'mmpretain'}, "write 'mmpretrain'"),
    'a default hook': (
        PRETRAIN, {'default_hooks.chekpoint.interval': 5}, "found 'chekpoint'; write 'checkpoint'",
    ),
    'a model type': (PRETRAIN, {'model.type': 'BotMAE'}, "model.type, found .*write 'BootMAE'"),
    'a type inside': (PRETRAIN, {'model.backbone.type': 'BootMAEVit'}, "write 'BootMAEViT'"),
    'a transform type': (
        LINEAR, {'train_dataloader.dataset.pipeline.1.type': 'RandomFlp'},
        r'dataset.pipeline.1.type, found .RandomFlp.; write .RandomFlip',
    ),
    'a hook type': (PRETRAIN, {'custom_hooks.teacher.type': 'HealtHook'}, "write 'HealthHook'"),
    'an optimiser type': (PRETRAIN, {'optim_wrapper.optimizer.type': 'AdmW'}, "write 'AdamW'"),
    'a scheduler type': (PRETRAIN, {'param_scheduler.0.type': 'LinarLR'}, "write 'LinearLR'"),
    'a metric type': (LINEAR, {'val_evaluator.type': 'Acuracy'}, "write 'Accuracy'"),
    'a loop type': (PRETRAIN, {'train_cfg.type': 'EpochLoop'}, "write 'EpochBasedTrainLoop'"),
    'an assigner type': (
        DET, {'model.train_cfg.rpn.assigner.type': 'MaxIoUAsigner'}, "model.train_cfg.rpn.assigner",
    ),
    'a type of another scope': (
        DET, {'model.backbone.type': 'BootMAEViT'}, "write 'mmpretrain.BootMAEViT'",
    ),
    'no type': (PRETRAIN, {'model.type': ...}, 'a type in model, found only'),
    'a hook that is not there': (
        PRETRAIN, {'custom_hooks.tacher.milestones': []}, "found 'tacher'; write 'teacher'",
    ),
    'a hook by its number': (
        PRETRAIN, {'custom_hooks.20.total_batch_size': 8},
        "names of custom_hooks, found '20' without a type; choose one of data_wait, .*total_batch,",
    ),
    'a hook that is left out': (PRETRAIN, {'custom_hooks.helth': None}, "write 'health'"),
    'a default hook without a type': (
        PRETRAIN, {'default_hooks.reprot.interval': 5}, "'reprot' without a type; write 'report'",
    ),
    'no type in a list of hooks': (
        PRETRAIN, {'custom_hooks': [dict(limit=1)]}, 'a type in custom_hooks.0, found only limit',
    ),
    'names in a list of hooks': (
        PRETRAIN, {'custom_hooks': ['teacher', dict(type='DataCheckHook')]},
        r'list custom_hooks, found names; write custom_hooks = dict\(NAME=',
    ),
    'a part of the model': (PRETRAIN, {'model.bakbone.depth': 2}, "found 'bakbone'"),
    'a keyword': (PRETRAIN, {'model.backbone.drop_path': 0.1}, "write 'drop_path_rate'"),
    'a keyword of the base': (PRETRAIN, {'model.backbone.final_nrm': 1}, "write 'final_norm'"),
    'a setting of the data': (
        PRETRAIN, {'train_dataloader.dataset.lazy_innit': True}, "write 'lazy_init'",
    ),
    'a data loader': (PRETRAIN, {'train_dataloader.num_worker': 4}, "found 'num_worker'"),
    'the optimiser': (PRETRAIN, {'optim_wrapper.optimizer.weight_decy': 0}, "found 'weight_decy'"),
    'the wrapper': (SEG, {'optim_wrapper.clip_grd': None}, "found 'clip_grd'"),
    'a scheduler': (PRETRAIN, {'param_scheduler.0.start_factr': 0}, "found 'start_factr'"),
    'a hook': (
        PRETRAIN, {'custom_hooks.teacher.milestone': []}, 'TeacherHook in custom_hooks.teacher',
    ),
    'a checkpoint hook': (
        PRETRAIN, {'default_hooks.checkpoint.max_keep_ckpt': 3}, "write 'max_keep_ckpts'",
    ),
    'the evaluator': (SEG, {'val_evaluator.iou_metric': ['mIoU']}, "found 'iou_metric'"),
    'the loop': (PRETRAIN, {'train_cfg.max_epoch': 3}, "found 'max_epoch'"),
    'the initialiser': (LINEAR, {'model.head.init_cfg': dict(type='Normal', sdt=1)}, "write 'std'"),
    'nothing near': (
        PRETRAIN, {'model.pixel_head.colour': 1}, "found 'colour'; choose one of norm",
    ),
    'nothing near among few': (
        PRETRAIN, {'custom_hooks.feature_weight.colour': 1},
        'colour.; choose one of by_epoch, priority, ramp, weight',
    ),
    'a missing argument': (
        PRETRAIN, {'custom_hooks.total_batch.total_batch_size': ...},
        'Expected total_batch_size among the settings of TotalBatchHook in custom_hooks.total',
    ),
    'a missing argument of a sampler': (
        PRETRAIN, {'train_dataloader.sampler.total_batch_size': ...},
        'total_batch_size among the settings of EpochSampler',
    ),
    'a missing argument of the data': (
        PRETRAIN, {'train_dataloader.dataset.data_root': ...}, 'Expected data_root among',
    ),
    'no data': (PRETRAIN, {'train_dataloader.dataset': ...}, 'a dataset in train_dataloader, fo'),
    'no loader': (LINEAR, {'val_dataloader': None}, 'all of val_.* or none, found no val_dataload'),
    'no kind of loop': (LINEAR, {'train_cfg.by_epoch': ...}, 'train_cfg, found neither'),
    'epochs as text': (PRETRAIN, {'train_cfg.max_epochs': '800'}, 'write 800 without quotes'),
    'a rate as text': (PRETRAIN, {'optim_wrapper.optimizer.lr': '1e-4'}, 'write 1e-4 without quo'),
    'text as interval': (
        PRETRAIN, {'default_hooks.checkpoint.interval': '5'},
        r'a number as default_hooks.checkpoint.interval \(.*Hook\), found text',
    ),
    'an empty batch': (PRETRAIN, {'train_dataloader.batch_size': 0}, 'to be at least 1, found 0'),
    'negative workers': (PRETRAIN, {'train_dataloader.num_workers': -1}, 'at least 0, found -1'),
    'workers that stay': (
        LINEAR, {'train_dataloader.persistent_workers': True}, 'persistent_workers to False',
    ),
    'a share above 1': (PRETRAIN, {'model.backbone.drop_path_rate': 10}, 'from 0 to 1, found 10'),
    'a mask above 1': (
        PRETRAIN, {'model.backbone': dict(_delete_=True, type='MAEViT', mask_ratio=75)},
        'model.backbone.mask_ratio to be from 0 to 1, found 75',
    ),
    'a number for a list': (
        PRETRAIN, {'train_dataloader.dataset.pipeline.2.block_size': 16},
        r'a list as .*pipeline.2.block_size \(BlockwiseMasking\), found a number',
    ),
    'a list for a number': (
        PRETRAIN, {'train_cfg.max_epochs': [800]}, r'a number as train_cfg.max_epochs .*found a li',
    ),
    'a number for a name': (
        PRETRAIN, {'train_dataloader.dataset.data_root': 3}, 'a list or text as .*data_root',
    ),
}  # fmt: skip


@pytest.mark.parametrize('case', FAULTS)
def test_a_fault(case):
    path, edit, expected = FAULTS[case]
    with pytest.raises(ValueError) as caught:
        check_config(load(path, edit))
    assert_one_sentence(caught.value, expected)


def test_several_faults_are_all_told():
    cfg = load(PRETRAIN, {'train_cfg.max_epochs': '800', 'model.backbone.drop_path': 0.1})
    with pytest.raises(ValueError, match='2 errors:\n- .*drop_path_rate.*\n- .*800 without'):
        check_config(cfg)


SOUND = {
    'a variable': {'my_learning_rate': 1e-3, 'train_pipeline_2': []},
    'a variable that a section is made of': {'train_loader': dict(batch_size=50)},
    'a priority': {'custom_hooks': [dict(type='GradNormHook', priority='LOW')]},
    'an evaluator around metrics': {
        'val_evaluator': dict(_delete_=True, type='Evaluator', metrics=[dict(type='Accuracy')])
    },
    'keywords that nobody knows': {
        'custom_hooks': [dict(type='OptimizerStepEMAHook', momentum=0.1, gamma=100)]
    },
    'a type by its path': {'optim_wrapper.optimizer.type': 'torch.optim.AdamW'},
    'a normalisation': {'model.backbone.norm_cfg': dict(type='LN', eps=1e-5, requires_grad=True)},
    'a hook of another name': {'custom_hooks.mine': dict(type='GradNormHook')},
    'hooks left out': {'custom_hooks': dict(grad_norm=None), 'default_hooks.report': None},
    'a part left out': {'model.backbone.init_cfg': None, 'visualizer': None},
}


@pytest.mark.parametrize('case', SOUND)
def test_a_sound_change(case):
    assert config_problems(load(LINEAR, SOUND[case])) == []


class Base:
    def __init__(self, size, colour='red', *, name: str = ''): ...


class Hands(Base):
    def __init__(self, depth: int, **kwargs):
        super().__init__(name='fixed', **kwargs)


class Places(Base):
    def __init__(self, width, *args, **kwargs):
        super().__init__(width, *args, **kwargs)


class Takes(Base):
    def __init__(self, **kwargs):
        self.shape = kwargs.pop('shape', None)
        kwargs.setdefault('colour', 'blue')
        kwargs = {'size': 3, **kwargs}
        super().__init__(**kwargs)


class Keeps(Base):
    def __init__(self, width=1, **kwargs):
        super().__init__(width)
        self.kwargs = kwargs


class Swallows(Base):
    def __init__(self, width=1, **kwargs):
        super().__init__(width)


class Reads(Base):
    def __init__(self, **kwargs):
        self.names = list(kwargs)
        super().__init__(**kwargs)


@pytest.mark.parametrize(
    'kind, names, opaque',
    [
        (Base, {'size', 'colour', 'name'}, False),
        (Hands, {'depth', 'size', 'colour'}, False),
        (Places, {'width', 'colour', 'name'}, False),
        (Takes, {'shape', 'size', 'colour', 'name'}, False),
        (Keeps, {'width'}, True),
        (Swallows, {'width'}, False),
        (Reads, set(), True),
        (object, set(), False),
        (sorted, {'key', 'reverse'}, False),
    ],
)
def test_keywords(kind, names, opaque):
    keywords = keywords_of(kind)
    assert (set(keywords.defaults), keywords.opaque) == (names, opaque)


def test_required_keywords():
    assert keywords_of(Hands).required == ['depth', 'size']
    assert keywords_of(Hands).annotations == {'depth': int}


@pytest.mark.parametrize(
    'value, annotation, expected',
    [
        (3, int, None),
        (0.5, int, None),
        (True, int, None),
        ('3', int, 'a number'),
        ('3', int | str, None),
        (None, int, None),
        ([3], int | None, 'a number'),
        ('3', float | None, 'a number'),
        (3, str, 'text'),
        (3, tuple[int, int], 'a list'),
        ([3, 4], tuple[int, int], None),
        ('mIoU', Sequence[str], None),
        ([], dict, None),
        ('LN', dict, 'a dict'),
        ('LN', dict | str, None),
        (3, Config, None),
        ('3', int | Config, None),
    ],
)
def test_mismatch(value, annotation, expected):
    assert mismatch(value, annotation) == expected


def test_nearest():
    assert nearest('bootmaevit', {'BootMAEViT', 'BootMAE', 'ViT'}) == 'BootMAEViT'
    assert nearest('teeth', {'BootMAE'}) is None


def test_training_and_testing_refuse_before_anything_is_built(monkeypatch):
    cfg = Config.fromfile(ROOT / 'configs/finetune/bootmae_vitb_finetune_100e.py')
    cfg.optim_wraper = cfg.pop('optim_wrapper')
    for module in (training, evaluation):
        monkeypatch.setattr(module, 'build_runner', pytest.fail)
    with pytest.raises(ValueError, match="found 'optim_wraper'; write 'optim_wrapper'"):
        training.train(cfg)
    with pytest.raises(ValueError, match="found 'optim_wraper'; write 'optim_wrapper'"):
        evaluation.test(cfg, 'unused.pth')
