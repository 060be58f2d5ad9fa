"""The configs that docs/quick_start.md has users write, with other paths and small models: checked,
their data checked, trained, validated, tested, and asked for predictions, by the tools."""

import pickle
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from PIL import Image

from bootmae_mm.preflight.config.check import check_config
from tests.helpers import dense_data, labelled_data, runs
from tests.helpers.paths import ROOT

PAGE = (ROOT / 'docs/quick_start.md').read_text()
CONFIGS = dict(
    re.findall(r'^### [^\n]*`mine/(\w+).py`$.*?^```python\n(.*?)^```$', PAGE, re.M | re.S)
)
NUM_CLASSES = dict(pretrain=[], finetune=[3] * 2, segment=[3] * 2, detect=[2] * 2)


def load(name: str, folder: Path) -> Config:
    """A config of the page, in a folder beside ours, with data in ``folder`` (see :func:`data`)."""
    text = CONFIGS[name].replace("'../configs", f"'{ROOT}/configs")
    text = text.replace('/folder/of', str(folder)).replace(
        "('cat', 'dog', 'bird')", "('cat', 'ox')"
    )
    path = folder / f'{name}.py'
    path.write_text(text)
    return Config.fromfile(path)


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    """A folder with pictures, class folders, scenes and animals, as the page has them laid out."""
    folder = tmp_path_factory.mktemp('mine')
    (folder / 'pictures').symlink_to(labelled_data.write_pictures(folder / 'classes', 4) / 'train')
    dense_data.write_ade20k(folder / 'scenes', 4)
    annotations = dense_data.write_coco(folder / 'animals', 4) / 'annotations'
    for path in annotations.iterdir():
        path.write_text(path.read_text().replace('person', 'cat').replace('bicycle', 'ox'))
    return folder


SHRINK: dict[str, Callable] = dict(
    pretrain=runs.shrink_run,
    finetune=labelled_data.shrink_run,
    segment=dense_data.shrink_seg,
    detect=dense_data.shrink_det,
)


def num_classes(part: object) -> list[int]:
    """All values of ``num_classes`` in a part of a config."""
    if isinstance(part, list | tuple):
        return [number for child in part for number in num_classes(child)]
    if not isinstance(part, dict):
        return []
    own = [part['num_classes']] if 'num_classes' in part else []
    return own + [number for child in part.values() for number in num_classes(child)]


def test_the_page_has_a_config_of_every_task() -> None:
    assert list(CONFIGS) == ['pretrain', 'finetune', 'segment', 'detect']


@pytest.mark.parametrize('name', CONFIGS)
def test_a_config_of_the_page(name: str, data: Path) -> None:
    """At full size: no mistake is found, and its own classes are everywhere."""
    cfg = load(name, data)
    check_config(cfg)
    with DefaultScope.overwrite_default_scope(cfg.default_scope), torch.device('meta'):
        MODELS.build(cfg.model)
    assert num_classes(cfg.model) == NUM_CLASSES[name]
    loaders = [cfg[key] for key in cfg if key.endswith('_dataloader')]
    assert all(loader.dataset.data_root.startswith(str(data)) for loader in loaders)
    assert not num_classes(loaders)


KINDS = dict(pretrain='images', finetune='imagenet', segment='ade20k', detect='coco')
NUM_PREDICTED = dict(finetune=12, segment=4, detect=4)


@pytest.mark.parametrize('name', CONFIGS)
def test_the_tools_with_a_config_of_the_page(
    name: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """At a small size: its data is checked, it trains and validates, and its checkpoint is tested;
    predictions are kept and painted."""
    cfg, work_dir, kept = load(name, data), tmp_path / 'work', tmp_path / 'predicted.pkl'
    SHRINK[name](cfg, tmp_path)
    cfg.dump(tmp_path / 'config.py')
    config, again = str(tmp_path / 'config.py'), ['--cfg-options', f'experiment_name={name}_again']
    train, test, check_data = (labelled_data.load_tool(t) for t in ('train', 'test', 'check_data'))
    assert check_data.main([KINDS[name], '--config', config, '--sample', '3']) == 0
    assert 'WARN' not in capsys.readouterr().out
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        train.main([config, '--work-dir', str(work_dir)])
        checkpoint = (work_dir / 'last_checkpoint').read_text()
        if name == 'pretrain':
            longer = [*again, 'train_cfg.max_epochs=3']
            options = ['--resume', checkpoint, '--accept-changes', *longer]
            train.main([config, '--work-dir', str(work_dir), *options])
            assert (work_dir / 'epoch_3.pth').is_file()
            return
        options = ['--out', str(kept), '--show-dir', str(tmp_path / 'painted'), *again]
        options += ['--tta'] * (name == 'segment')
        test.main([config, checkpoint, '--work-dir', str(tmp_path / 'test'), *options])
    assert len([*(tmp_path / 'painted').rglob('*.png')]) == NUM_PREDICTED[name]
    if name != 'segment':
        assert len(pickle.loads(kept.read_bytes())) == NUM_PREDICTED[name]
        return
    label_maps = [*kept.iterdir()]
    assert len(label_maps) == NUM_PREDICTED[name]
    for path in label_maps:
        predicted = np.asarray(Image.open(path))
        picture = Image.open(data / f'scenes/images/validation/{path.stem}.jpg')
        assert predicted.shape == picture.size[::-1] and {*predicted.flat} <= {1, 2, 3}


def test_the_schedule_of_segmentation_fits_its_iterations(data: Path) -> None:
    """Warm-up, decay, validation and checkpoints of the page's short run."""
    cfg = load('segment', data)
    length, (warm_up, decay) = cfg.train_cfg.max_iters, cfg.param_scheduler
    assert 0 < warm_up.end <= length / 10 and (decay.begin, decay.end) == (0, length)
    assert cfg.train_cfg.val_interval == cfg.default_hooks.checkpoint.interval == length / 10


def test_the_learning_rate_follows_the_total_batch(data: Path) -> None:
    """Of pretraining and fine-tuning, in proportion to the recipe's."""
    for name, own in (
        ('pretrain', 'pretrain/bootmae_vitb_300e'),
        ('finetune', 'finetune/bootmae_vitb_finetune_100e'),
    ):
        cfg, recipe = load(name, data), Config.fromfile(ROOT / f'configs/{own}.py')
        rate = [
            part.optim_wrapper.optimizer.lr / part.custom_hooks.total_batch.total_batch_size
            for part in (cfg, recipe)
        ]
        own, paper = (part.custom_hooks.total_batch for part in (cfg, recipe))
        assert own.type == 'TotalBatchHook' and own.total_batch_size < paper.total_batch_size
        assert rate[0] == pytest.approx(rate[1])
