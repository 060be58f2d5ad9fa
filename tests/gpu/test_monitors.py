"""Everything around a run that looks at the model, on the device."""

import json

import pytest

from bootmae_mm.engine.build import build_runner
from tests.helpers.probe_data import image_hook, map_configs, write_label_maps, write_labelled
from tests.helpers.runs import run_config

pytestmark = pytest.mark.gpu


def test_a_run_with_all_monitors_draws_probes_and_measures(folder, tmp_path, device):
    maps = map_configs(write_label_maps(tmp_path / 'maps'))
    cfg = run_config(folder, tmp_path / 'run', total=4, batch=4, epochs=1)
    cfg.optim_wrapper.dtype = 'bfloat16'
    labelled = write_labelled(tmp_path / 'labelled')
    cfg.custom_hooks.probe = image_hook(labelled, segmentation=maps, interval=1, max_share=0.999)
    runner = build_runner(cfg)
    runner.train()
    assert next(runner.model.parameters()).device.type == device.type
    (path,) = (tmp_path / 'run').rglob('scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    logged = {name: value for line in lines for name, value in line.items()}
    for name in ('teacher_rank', 'teacher_distance', 'grad_norm'):
        assert logged[name] > 0, name
    for name in ('student_knn', 'teacher_linear_block3', 'student_seg_miou'):
        assert 0 < logged[f'probe/{name}'] <= 100, name
    pictures = {path.name.rpartition('_')[0] for path in (tmp_path / 'run').rglob('*.png')}
    assert pictures == {'reconstruction', 'cosine', 'pca'}
    assert list((tmp_path / 'run').rglob('report.html'))
