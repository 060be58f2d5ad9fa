"""Values on the command line arrive as they are meant: text as it was typed."""

import os

import pytest
from mmengine.config import Config

from bootmae_mm.preflight.config.options import merge_options
from bootmae_mm.preflight.config.typed import as_option
from tests.helpers.paths import ROOT

PRETRAIN, FINETUNE = 'demo/pretrain', 'finetune/bootmae_vitb_finetune_100e'
DATA_ROOT = 'train_dataloader.dataset.data_root'
CHECKPOINT = 'model.backbone.init_cfg.checkpoint'
MILESTONES = 'custom_hooks.teacher.milestones'
CLASSES = 'train_dataloader.dataset.metainfo.classes'
ODD_NAMES = [
    *(
        'My Pictures',
        '2023',
        '1e3',
        'sea, sun',
        '[old]',
        '(x',
        'a=b',
        "it's",
        'True',
        'nan',
        'Ünï/',
    ),
]


@pytest.fixture(scope='module')
def configs() -> dict[str, Config]:
    return {
        name: Config.fromfile(ROOT / f'configs/{name}.py')
        for name in (PRETRAIN, FINETUNE, 'demo/detect')
    }


def value_of(cfg: Config, key: str, **options) -> object:
    """The value of a key after options by their keys, with __ for the dots."""
    cfg = cfg.copy()
    merge_options(cfg, options)
    for name in key.split('.'):
        cfg = cfg[int(name)] if isinstance(cfg, list) else cfg[name]
    return cfg


@pytest.mark.parametrize('text', ODD_NAMES)
@pytest.mark.parametrize(
    ('name', 'key'),
    [
        (PRETRAIN, DATA_ROOT),  # a text in the config, text or a list by its class
        (FINETUNE, CHECKPOINT),  # text by its class
        (PRETRAIN, 'load_from'),  # None in the config, text in mmengine
        ('demo/detect', 'train_dataloader.dataset.data_prefix.img'),  # text in the config alone
        ('demo/detect', 'val_evaluator.ann_file'),
    ],
)
def test_text_stays_as_it_was_typed(name, key, text, configs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir('[old]')
    assert value_of(configs[name], key, **{key: text}) == text


@pytest.mark.parametrize(
    ('name', 'key', 'text', 'value'),
    [
        (PRETRAIN, DATA_ROOT, '[a b, 2023]', ['a b', '2023']),  # its class takes a list as well
        (PRETRAIN, DATA_ROOT, '"[a, b]"', '[a, b]'),
        (PRETRAIN, DATA_ROOT, "'None'", 'None'),
        (PRETRAIN, DATA_ROOT, '', ''),
        (PRETRAIN, DATA_ROOT, '~/a b', os.path.expanduser('~/a b')),
        (PRETRAIN, 'load_from', 'None', None),
        (FINETUNE, 'model.backbone.init_cfg', 'None', None),
        (FINETUNE, 'model.backbone.arch', '{"depth": 2, "_delete_": True}', dict(depth=2)),
        (FINETUNE, 'optim_wrapper.loss_scale', '512', 512),
        (FINETUNE, 'optim_wrapper.loss_scale', 'dynamic', 'dynamic'),
        (FINETUNE, 'optim_wrapper.optimizer.betas', '0.9,0.95', [0.9, 0.95]),
        (FINETUNE, 'val_evaluator.topk', '(1, 3)', (1, 3)),
        (FINETUNE, 'resume', 'true', True),
        (FINETUNE, 'train_dataloader.num_workers', '0', 0),
        (FINETUNE, 'default_hooks.checkpoint.save_best', '[a,b]', ['a', 'b']),
        (PRETRAIN, MILESTONES, '[(0,.9),(4.5,1)]', [(0, 0.9), (4.5, 1)]),
        (PRETRAIN, 'custom_hooks.0.total_batch_size', '4', 4),
        (PRETRAIN, 'custom_hooks.health.priority', '10', 10),
        (PRETRAIN, 'custom_hooks.health.priority', 'LOW', 'LOW'),
        ('demo/detect', CLASSES, '[polar bear, 1]', ['polar bear', '1']),
        ('demo/detect', CLASSES, '["a, b", c]', ['a, b', 'c']),
    ],
)  # fmt: skip
def test_other_values_are_read(name, key, text, value, configs):
    found = value_of(configs[name], key, **{key: text})
    assert found == value and isinstance(found, type(value))


def test_a_type_among_the_options_says_what_is_text(configs):
    options = {CHECKPOINT: '2023', 'model.backbone.init_cfg.type': 'PretrainedEncoder'}
    cfg = configs['demo/detect'].copy()
    cfg.model.backbone.init_cfg = {}
    assert value_of(cfg, CHECKPOINT, **{CHECKPOINT: '2023'}) == 2023
    assert value_of(cfg, CHECKPOINT, **options) == '2023'


@pytest.mark.parametrize('text', ['[1,2', '(1,2]', '1),2', '{"a": ', '["a,b]', 'dict(a=1)'])
def test_brackets_and_quotes_that_do_not_pair_are_refused(text, configs):
    with pytest.raises(ValueError, match='pair as val_evaluator.topk, found'):
        value_of(configs[FINETUNE], 'val_evaluator.topk', **{'val_evaluator.topk': text})


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        *((DATA_ROOT, name) for name in ODD_NAMES),
        *((DATA_ROOT, name) for name in ('None', '~/x', '"q"', "'[a]'", '', ' a', ['a, b', '1'])),
        *((MILESTONES, value) for value in (3, 0.5, [(0, 0.99), (4.5, 0.1)], '3', '[a')),
    ],
)
def test_what_our_tools_write_is_read_back(key, value, configs):
    option, _, text = as_option(key, value).partition('=')
    assert value_of(configs[PRETRAIN], key, **{option: text}) == value
