"""Testing a checkpoint with a config of mmpretrain, mmseg or mmdet: complete or not at all."""

from pathlib import Path

from mmengine.config import Config, ConfigDict

from .checkpoint import read_state_dict
from .checkpoint.complete import load_completely
from .engine.build import build_runner, is_first_process, leave_process_group
from .engine.wrapping import unwrap
from .preflight.config.check import check_config
from .preflight.data.paths import check_config_paths

TOOLBOXES = ('mmpretrain', 'mmseg', 'mmdet')


def test(cfg: Config, checkpoint: str) -> dict[str, float]:
    """Evaluate a checkpoint on the test set of ``cfg`` and leave the process group properly.

    Training's parts of the config are left out: its data set is not needed, and hooks such as
    ``TotalBatchHook`` have nothing to say. A checkpoint written with averaged weights has them as
    its ``state_dict``, so they are what is tested.

    Returns:
        The metrics.

    Raises:
        ValueError: If the config has no test set, or errors in its keys and values; its data is
            missing or malformed; or the checkpoint does not fit the model.
    """
    if cfg.get('test_dataloader') is None:
        raise ValueError(
            'Expected a config with a test set, found no test_dataloader; choose one of '
            'fine-tuning, probing, segmentation or detection.'
        )
    if is_first_process():
        check_config(cfg)
        check_config_paths(cfg, ['test'])
    for name in ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler'):
        cfg[name] = None
    cfg.custom_hooks = [dict(type='DataCheckHook')]
    cfg.load_from, cfg.resume = None, False
    runner = build_runner(cfg)
    load_completely(unwrap(runner.model), read_state_dict(checkpoint), checkpoint)
    metrics = runner.test()
    del runner
    leave_process_group()
    return metrics


def use_test_time_augmentation(cfg: Config) -> None:
    """Put ``cfg.tta_model`` around the model, and ``cfg.tta_pipeline`` into the test set.

    Raises:
        ValueError: If the config lacks one of the two.
    """
    missing = [name for name in ('tta_model', 'tta_pipeline') if cfg.get(name) is None]
    if missing:
        raise ValueError(
            f'Test-time augmentation expects tta_model and tta_pipeline in the config, found no '
            f'{" and no ".join(missing)}; add what is missing or test without.'
        )
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline


def paint_predictions(cfg: Config, folder: str) -> None:
    """Have the toolbox's visualizer paint the prediction for every test image."""
    _toolbox(cfg)
    cfg.setdefault('default_hooks', {})
    hook = dict(type='PaintTestSetHook', folder=str(Path(folder).absolute()))
    cfg.default_hooks['visualization'] = hook


def keep_predictions(cfg: Config, out: str) -> None:
    """Have the predictions written: to a pickle file (classification, detection), or as one PNG of
    labels per image into a folder (segmentation).

    Raises:
        ValueError: If the name of the file does not end in ``.pkl``.
    """
    toolbox = _toolbox(cfg)
    if toolbox == 'mmseg':
        dataset = cfg.test_dataloader.dataset
        images = (dataset.get('data_prefix') or {}).get('img_path') or ''
        root = str(Path(dataset.get('data_root') or '').expanduser() / images)
        writer = dict(type='LabelMapFiles', folder=out, root=root)
    elif out.endswith('.pkl'):
        kind = 'DumpDetResults' if toolbox == 'mmdet' else 'DumpResults'
        writer = dict(type=kind, out_file_path=out)
    else:
        raise ValueError(f'Expected the name of a .pkl file for the predictions, found {out!r}.')
    metrics = cfg.test_evaluator
    cfg.test_evaluator = [*(metrics if isinstance(metrics, list) else [metrics]), writer]


def _toolbox(cfg: Config) -> str:
    scope = cfg.get('default_scope')
    if scope not in TOOLBOXES:
        raise ValueError(
            f'Expected a config with default_scope {", ".join(TOOLBOXES)}, found {scope!r}.'
        )
    return scope
