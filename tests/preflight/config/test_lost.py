"""Settings that nothing would read are refused by the keys that were meant."""

from argparse import Namespace

import pytest

from bootmae_mm.command_line import load_config, read_config
from tests.helpers.data_cases import assert_one_sentence
from tests.helpers.paths import ROOT

PRETRAIN, DETECT = 'demo/pretrain', 'demo/detect'
RCNN = 'det/mask_rcnn_bootmae_vitb_1x'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def load(name: str, options: dict):
    return load_config(Namespace(config=str(ROOT / f'configs/{name}.py'), cfg_options=options))


@pytest.mark.parametrize(
    ('name', 'key', 'value', 'meant'),
    [
        (PRETRAIN, 'max_epochs', '1', 'train_cfg.max_epochs=1'),
        (PRETRAIN, 'epochs', '1', 'train_cfg.max_epochs=1'),
        (PRETRAIN, 'batch_size', '2', 'train_dataloader.batch_size=2'),
        (PRETRAIN, 'lr', '1e-3', 'optim_wrapper.optimizer.lr=1e-3'),
        (PRETRAIN, 'optimizer.lr', '1', 'optim_wrapper.optimizer.lr=1'),
        (PRETRAIN, 'modle.backbone.depth', '3', 'model.backbone.depth=3'),
        (PRETRAIN, 'backbone.drop_path_rate', '.1', 'model.backbone.drop_path_rate=.1'),
        (PRETRAIN, 'arch.num_layers', '2', 'model.backbone.arch.num_layers=2'),
        (PRETRAIN, 'train_pipeline.0.scale', '3', 'train_dataloader.dataset.pipeline.0.scale=3'),
        (PRETRAIN, 'data_root', 'a b', "'train_dataloader.dataset.data_root=a b'"),
        (
            DETECT, 'num_classes', '3',
            'model.roi_head.bbox_head.num_classes=3 model.roi_head.mask_head.num_classes=3',
        ),
        (
            DETECT, 'data_root', '/my/',
            ' '.join(f'{loader}.dataset.data_root=/my/' for loader in LOADERS)
            + ' val_evaluator.ann_file=/my/annotations/instances_val2017.json'
            ' test_evaluator.ann_file=/my/annotations/instances_val2017.json',
        ),
        (DETECT, 'max_epochs', 5, 'train_cfg.max_epochs=5'),
    ],
)  # fmt: skip
def test_a_variable_on_the_command_line_is_refused(name, key, value, meant):
    with pytest.raises(ValueError) as caught:
        load(name, {'train_dataloader.num_workers': '1', key: value})
    assert_one_sentence(caught.value, f'Expected --cfg-options that something reads, found {key},')
    assert str(caught.value).endswith(f'; write --cfg-options {meant}.')


@pytest.mark.parametrize('key', ['foo', 'warmup_epochs', 'x.y'])
def test_without_a_setting_of_that_name_there_is_advice(key):
    with pytest.raises(ValueError, match='give the whole key, as in train_dataloader'):
        load(PRETRAIN, {key: '1'})


def test_what_something_reads_passes():
    options = {
        'work_dir': 'a', 'experiment_name': '1', 'compile': 'True', 'accept_changes': 'True',
        'randomness.seed': '3', 'custom_hooks.0.total_batch_size': '4', 'tta_model.type': 'A',
    }  # fmt: skip
    cfg = load(PRETRAIN, options)
    assert (cfg.work_dir, cfg.experiment_name, cfg.randomness.seed) == ('a', '1', 3)


@pytest.mark.parametrize(
    ('name', 'text', 'found', 'meant'),
    [
        (PRETRAIN, 'max_epochs = 50', 'max_epochs', 'train_cfg.max_epochs'),
        (PRETRAIN, 'train_pipeline = []', 'train_pipeline', 'train_dataloader.dataset.pipeline'),
        (DETECT, "data_root = '/my'", 'data_root', '.*, test_evaluator.ann_file'),
        (RCNN, 'loader = dict(num_workers=0)', 'loader', 'train_dataloader.num_workers, val_'),
    ],
)  # fmt: skip
def test_a_variable_that_a_config_sets_in_vain_is_refused(name, text, found, meant, tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = '{ROOT}/configs/{name}.py'\n{text}\n")
    with pytest.raises(ValueError) as caught:
        read_config(str(path))
    assert_one_sentence(caught.value, f"mine.py', line 2, found {found}, .*; set {meant}")


def test_a_variable_in_vain_passes_where_its_settings_are_as_it_says(tmp_path):
    """Whole, or in parts as those of ``dict(**extractor)``; with one of them left it is refused."""
    path = tmp_path / 'mine.py'
    parts = [f'{kind}_roi_extractor=dict(out_channels=16)' for kind in ('bbox', 'mask')]
    neck = "neck=[dict(type='FourScalePyramid', embed_dims=768), dict(type='FPN', out_channels=16)]"

    def read(kept):
        path.write_text(
            f"_base_ = '{ROOT}/configs/{RCNN}.py'\nextractor = dict(out_channels=16)\n"
            f'model = dict({neck}, roi_head=dict({", ".join(kept)}))\n'
            'max_epochs = 6\ntrain_cfg = dict(max_epochs=6)\n'
            'param_scheduler = [dict(type="ConstantLR", end=6)]\n'
        )
        return read_config(str(path))

    assert read(parts).extractor.out_channels == 16
    with pytest.raises(ValueError, match='found extractor, .*mask_roi_extractor.out_channels'):
        read(parts[:1])


def test_variables_that_are_used_or_change_nothing_pass(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(
        f"_base_ = '{ROOT}/configs/{PRETRAIN}.py'\n"
        'max_epochs = 50\ntrain_cfg = dict(max_epochs=max_epochs)\n'
        'total_batch_size = 128\nmine = 3\n'
    )
    cfg = read_config(str(path))
    assert (cfg.train_cfg.max_epochs, cfg.mine) == (50, 3)
    cfg.dump(path)  # as runs leave it: every variable, and no base
    assert read_config(str(path)).max_epochs == 50
