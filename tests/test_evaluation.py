"""tools/test.py gives what the run's own validation gave, and loads a checkpoint wholly or not."""

import pickle
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmpretrain.registry import MODELS

from bootmae_mm import evaluation
from bootmae_mm.checkpoint import read_state_dict
from bootmae_mm.checkpoint.complete import load_completely
from bootmae_mm.engine.build import build_runner
from tests.helpers.labelled_data import CLASSES, load_tool, tiny_run, write_pictures
from tests.helpers.models import build_tiny
from tests.helpers.paths import ROOT


@pytest.fixture(scope='module')
def finished(tmp_path_factory) -> tuple[Path, dict]:
    """A fine-tuning run (with averaged weights): its folder and its last validation's metrics."""
    folder = tmp_path_factory.mktemp('finetune')
    cfg = tiny_run(
        'finetune/bootmae_vitb_finetune_100e', write_pictures(folder / 'data'), folder / 'run'
    )
    cfg.custom_hooks.ema.momentum = 0.3
    cfg.optim_wrapper.optimizer.lr = 3e-2
    cfg.dump(folder / 'config.py')
    runner = build_runner(cfg)
    runner.train()
    accuracy = runner.message_hub.get_scalar('val/accuracy/top1').current()
    return folder, {'accuracy/top1': accuracy}


def config(folder: Path, work_dir: Path) -> Config:
    cfg = Config.fromfile(folder / 'config.py')
    cfg.work_dir, cfg.experiment_name = str(work_dir), work_dir.name
    return cfg


def test_a_test_repeats_the_runs_own_validation(finished, tmp_path):
    """Also without the training images, and with the total batch of another number of GPUs."""
    folder, metrics = finished
    cfg = config(folder, tmp_path / 'again')
    cfg.train_dataloader.dataset.data_root = 'nowhere'
    cfg.custom_hooks.total_batch.total_batch_size = 7
    assert evaluation.test(cfg, str(folder / 'run/epoch_2.pth')) == pytest.approx(metrics)


def test_the_averaged_weights_are_tested(finished, tmp_path):
    """The weights as trained give other scores than their average, which state_dict holds."""
    folder, _ = finished
    state = torch.load(folder / 'run/epoch_2.pth', weights_only=False)
    scores = {}
    for name in ('state_dict', 'ema_state_dict'):
        weights = {k.removeprefix('module.'): v for k, v in state[name].items() if k != 'steps'}
        torch.save(dict(state_dict=weights), tmp_path / f'{name}.pth')
        cfg = config(folder, tmp_path / name)
        evaluation.keep_predictions(cfg, str(tmp_path / f'{name}.pkl'))
        evaluation.test(cfg, str(tmp_path / f'{name}.pth'))
        kept = pickle.loads((tmp_path / f'{name}.pkl').read_bytes())
        scores[name] = torch.stack([sample['pred_score'] for sample in kept])
    cfg = config(folder, tmp_path / 'both')
    evaluation.keep_predictions(cfg, str(tmp_path / 'both.pkl'))
    evaluation.test(cfg, str(folder / 'run/epoch_2.pth'))
    kept = pickle.loads((tmp_path / 'both.pkl').read_bytes())
    tested = torch.stack([sample['pred_score'] for sample in kept])
    torch.testing.assert_close(tested, scores['state_dict'])
    assert not torch.allclose(tested, scores['ema_state_dict'], atol=1e-4)


def test_the_command(finished, tmp_path):
    folder, metrics = finished
    load_tool('test').main(
        [
            *(str(folder / 'config.py'), str(folder / 'run/epoch_2.pth')),
            *('--work-dir', str(tmp_path / 'work'), '--show-dir', str(tmp_path / 'shown')),
            *('--out', str(tmp_path / 'out.pkl')),
            *('--cfg-options', 'test_dataloader.batch_size=4', 'experiment_name=command'),
        ]
    )
    log = next((tmp_path / 'work').glob('*/*.log')).read_text()
    assert f'accuracy/top1: {metrics["accuracy/top1"]:.4f}' in log
    assert len(pickle.loads((tmp_path / 'out.pkl').read_bytes())) == 12
    shown = {str(p.relative_to(tmp_path / 'shown')) for p in (tmp_path / 'shown').rglob('*.png')}
    assert shown == {f'{name}/{i}.png.png' for name in CLASSES for i in range(4)}


def test_test_time_augmentation_averages_over_flips(finished, tmp_path):
    folder, _ = finished
    checkpoint = str(folder / 'run/epoch_2.pth')
    *steps, pack = Config.fromfile(folder / 'config.py').test_dataloader.dataset.pipeline
    scores = {}
    for name, flips in dict(plain=[0.0], flipped=[1.0], both=[0.0, 1.0]).items():
        cfg = config(folder, tmp_path / name)
        flip = [dict(type='RandomFlip', prob=prob) for prob in flips]
        cfg.tta_model = ConfigDict(type='AverageClsScoreTTA')
        cfg.tta_pipeline = [*steps, dict(type='TestTimeAug', transforms=[flip, [pack]])]
        evaluation.use_test_time_augmentation(cfg)
        evaluation.keep_predictions(cfg, str(tmp_path / f'{name}.pkl'))
        evaluation.test(cfg, checkpoint)
        kept = pickle.loads((tmp_path / f'{name}.pkl').read_bytes())
        scores[name] = torch.stack([sample['pred_score'] for sample in kept])
    assert not torch.allclose(scores['plain'], scores['flipped'])
    torch.testing.assert_close(scores['both'], (scores['plain'] + scores['flipped']) / 2)


def test_a_checkpoint_is_loaded_wholly_or_not_at_all(finished, tmp_path):
    folder, _ = finished
    path = str(tmp_path / 'edited.pth')
    state = torch.load(folder / 'run/epoch_2.pth', weights_only=False)['state_dict']

    def refused(edited: dict, message: str) -> None:
        torch.save(dict(state_dict=edited), path)
        model = MODELS.build(Config.fromfile(folder / 'config.py').model)
        with pytest.raises(ValueError, match=message) as error:
            load_completely(model, read_state_dict(path), path)
        assert '\n' not in str(error.value)

    few = {name: value for name, value in state.items() if 'head' not in name}
    refused(few, r'found 2 missing \(head.fc.weight, head.fc.bias\); give')
    refused({**state, 'neck.bn.weight': torch.zeros(3)}, r'found 1 left over \(neck.bn.weight\);')
    wide = {**state, 'head.fc.bias': torch.zeros(5)}
    refused(wide, r'found 1 of another size \(head.fc.bias\);')
    refused(
        build_tiny().state_dict(), r'tensors of this ImageClassifier in .* missing .* left over'
    )


def test_a_config_or_file_that_does_not_fit_is_refused(finished, tmp_path):
    folder, _ = finished
    pretraining = Config.fromfile(ROOT / 'configs/pretrain/bootmae_vitb_800e.py')
    with pytest.raises(ValueError, match='found no test_dataloader'):
        evaluation.test(pretraining, 'a.pth')
    cfg = config(folder, tmp_path / 'x')
    with pytest.raises(ValueError, match='found no tta_model and no tta_pipeline'):
        evaluation.use_test_time_augmentation(cfg)
    with pytest.raises(ValueError, match=r"name of a .pkl file .* found 'out.json'"):
        evaluation.keep_predictions(cfg, 'out.json')
    cfg.default_scope = 'mmpose'
    with pytest.raises(ValueError, match="found 'mmpose'"):
        evaluation.paint_predictions(cfg, 'shown')


def test_segmentation_and_detection_paint_and_keep_in_their_own_ways(tmp_path):
    shown, out = str(tmp_path / 'shown'), str(tmp_path / 'out.pkl')
    dataset = dict(data_root='data', data_prefix=dict(img_path='images'))
    base = dict(
        default_hooks=dict(),
        visualizer=dict(),
        test_dataloader=dict(dataset=dataset),
        test_evaluator=dict(type='Metric'),
    )
    seg, det = (Config(dict(**base, default_scope=scope)) for scope in ('mmseg', 'mmdet'))
    for cfg in (seg, det):
        evaluation.paint_predictions(cfg, shown)
        evaluation.keep_predictions(cfg, out)
        assert cfg.default_hooks.visualization == dict(type='PaintTestSetHook', folder=shown)
    assert seg.test_evaluator[1:] == [dict(type='LabelMapFiles', folder=out, root='data/images')]
    assert det.test_evaluator[1:] == [dict(type='DumpDetResults', out_file_path=out)]


@pytest.mark.parametrize('tool', ['train', 'test', 'knn'])
def test_a_config_that_is_not_there_is_a_message(tool, capsys):
    with pytest.raises(SystemExit):
        load_tool(tool).main(['configs/no.py'])
    assert "found no file 'configs/no.py'" in capsys.readouterr().err


@pytest.mark.parametrize(
    'options, sentence',
    [
        (['--out', 'labels.txt'], "Expected the name of a .pkl file .* found 'labels.txt'"),
        (['--tta'], 'Test-time augmentation expects tta_model'),
        ([], 'Expected a checkpoint of tensors'),
    ],
)
def test_a_wrong_command_is_a_line(options, sentence, finished, capsys):
    config = str(finished[0] / 'config.py')
    with pytest.raises(SystemExit) as stop:
        load_tool('test').main([config, config, *options])
    assert stop.value.code == 2
    *_, last = capsys.readouterr().err.splitlines()
    assert re.search(f'error: {sentence}', last)
