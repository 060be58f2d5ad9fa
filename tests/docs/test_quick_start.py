"""The configs that docs/quick_start.md has users write: they load, the checks of a run find no
mistake in them, and they have their own classes everywhere."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from bootmae_mm.preflight.config.check import check_config
from tests.helpers.paths import ROOT

PAGE = (ROOT / 'docs/quick_start.md').read_text()
CONFIGS = dict(
    re.findall(r'^### [^\n]*`mine/(\w+).py`$.*?^```python\n(.*?)^```$', PAGE, re.M | re.S)
)


def load(name: str, folder: Path) -> Config:
    """A config of the page, in a folder beside ours."""
    path = folder / f'{name}.py'
    path.write_text(CONFIGS[name].replace("'../configs", f"'{ROOT}/configs"))
    return Config.fromfile(path)


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
def test_a_config_of_the_page(name: str, tmp_path: Path) -> None:
    cfg = load(name, tmp_path)
    check_config(cfg)
    loaders = [cfg[key] for key in cfg if key.endswith('_dataloader')]
    assert all(loader.dataset.data_root.startswith('/folder/of/') for loader in loaders)
    with DefaultScope.overwrite_default_scope(cfg.default_scope), torch.device('meta'):
        MODELS.build(cfg.model)
    used = [num_classes(cfg.model), *(num_classes(loader) for loader in loaders)]
    numbers = [number for part in used for number in part]
    assert all(number == 3 for number in numbers)
    expected = dict(pretrain=0, finetune=2, segment=5, detect=2)[name]
    assert len(numbers) == expected


def test_the_learning_rate_follows_the_total_batch(tmp_path: Path) -> None:
    """Of pretraining and fine-tuning, in proportion to the recipe's."""
    for name, own in (
        ('pretrain', 'pretrain/bootmae_vitb_300e'),
        ('finetune', 'finetune/bootmae_vitb_finetune_100e'),
    ):
        cfg, recipe = load(name, tmp_path), Config.fromfile(ROOT / f'configs/{own}.py')
        rate = [
            part.optim_wrapper.optimizer.lr / part.custom_hooks.total_batch.total_batch_size
            for part in (cfg, recipe)
        ]
        own, paper = (part.custom_hooks.total_batch for part in (cfg, recipe))
        assert own.type == 'TotalBatchHook' and own.total_batch_size < paper.total_batch_size
        assert rate[0] == pytest.approx(rate[1])
