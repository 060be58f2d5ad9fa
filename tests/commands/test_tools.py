"""The configs that the commands write, in a small form, in the ordinary tools: their data checked,
trained, validated, tested, and asked for predictions."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from bootmae_mm.commands.writing import write_config
from tests.helpers import dense_data, labelled_data, written_configs

KINDS = dict(finetune='imagenet', segment='ade20k', detect='coco')
SHRINK: dict[str, Callable] = dict(
    finetune=labelled_data.shrink_run, segment=dense_data.shrink_seg, detect=dense_data.shrink_det
)
WRITE: dict[str, Callable] = dict(
    finetune=labelled_data.write_pictures,
    segment=dense_data.write_ade20k,
    detect=dense_data.write_coco,
)
NUM_PREDICTED = dict(finetune=12, segment=4, detect=4)


def small_config(name: str, data: Path, folder: Path) -> Config:
    """What a command writes on GPUs for data of its kind, dumped as ``config.py``."""
    write, make = written_configs.CONFIG_TEXTS[name], getattr(written_configs, name)
    choice, wish = make('base', written_configs.GPUS, data, folder / 'written')
    if name == 'segment':
        choice = choice._replace(crop=512)
    measured = written_configs.fit(written_configs.GPUS, choice.recipe.total_batch)
    write_config(wish.config, write(wish, choice, measured))
    cfg = Config.fromfile(wish.config)
    SHRINK[name](cfg, folder)
    cfg.dump(folder / 'config.py')
    return cfg


@pytest.mark.parametrize('name', KINDS)
def test_a_written_config(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    data = WRITE[name](tmp_path / 'data', 4)
    cfg, work_dir, kept = (
        small_config(name, data, tmp_path),
        tmp_path / 'work',
        tmp_path / 'out.pkl',
    )
    config, again = str(tmp_path / 'config.py'), ['--cfg-options', f'experiment_name={name}_again']
    train, test, check_data = (labelled_data.load_tool(t) for t in ('train', 'test', 'check_data'))
    assert check_data.main([KINDS[name], '--config', config, '--sample', '3']) == 0
    assert 'WARN' not in capsys.readouterr().out
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        train.main([config, '--work-dir', str(work_dir)])
        checkpoint = (work_dir / 'last_checkpoint').read_text()
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
        picture = Image.open(data / f'images/validation/{path.stem}.jpg')
        assert predicted.shape == picture.size[::-1] and {*predicted.flat} <= {1, 2, 3}
