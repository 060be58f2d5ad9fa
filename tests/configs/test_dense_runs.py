"""UperNet and Mask R-CNN trained, validated and tested at a tiny size, from the real configs."""

import json
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from torch import nn

from bootmae_mm.engine.build import build_runner
from bootmae_mm.engine.memory import checkpoint_blocks
from bootmae_mm.engine.optim import AutocastOptimWrapper
from bootmae_mm.engine.precision import FeatureAutocastOptimWrapper
from tests.helpers.dense_data import BLOCKS, tiny_det, tiny_seg, write_ade20k, write_coco
from tests.helpers.launching import dist_train


@pytest.fixture(scope='module')
def ade20k(tmp_path_factory) -> Path:
    return write_ade20k(tmp_path_factory.mktemp('data') / 'ade')


@pytest.fixture(scope='module')
def coco(tmp_path_factory) -> Path:
    return write_coco(tmp_path_factory.mktemp('data') / 'coco')


@pytest.fixture(scope='module')
def trained_seg(ade20k, tmp_path_factory) -> Runner:
    return train(tiny_seg(ade20k, tmp_path_factory.mktemp('seg')))


@pytest.fixture(scope='module')
def trained_det(coco, tmp_path_factory) -> Runner:
    cfg = tiny_det(coco, tmp_path_factory.mktemp('det'), 'det/mask_rcnn_bootmae_vitb_1x_windowed')
    cfg.model.backbone.update(window_size=3, global_blocks=[BLOCKS - 1])
    cfg.train_dataloader.batch_size = 2  # two accumulated
    return train(cfg)


def train(cfg) -> Runner:
    """The runner of a finished run; other tests keep their default scope."""
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        runner = build_runner(cfg)
        runner.train()
    return runner


def log_of(runner: Runner) -> list[dict]:
    """What the run wrote, a dict for each line."""
    (path,) = Path(runner.work_dir).glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


def check_losses(lines: list[dict], names: set[str], count: int) -> None:
    found = [line for line in lines if 'loss' in line]
    assert len(found) == count
    for line in found:
        assert names <= line.keys()
        assert all(np.isfinite(line[name]) for name in names)
        parts = [value for name, value in line.items() if 'loss_' in name]
        assert line['loss'] == pytest.approx(sum(parts), rel=1e-4)


def test_segmentation_trains_and_validates(trained_seg):
    lines = log_of(trained_seg)
    check_losses(lines, {'decode.loss_ce', 'aux.loss_ce', 'grad_norm'}, count=2)
    (metrics,) = (line for line in lines if 'mIoU' in line)
    assert 0 < metrics['mIoU'] <= 100 and 0 < metrics['aAcc'] <= 100
    assert trained_seg.iter == 2
    assert (Path(trained_seg.work_dir) / 'iter_2.pth').is_file()


def test_detection_trains_and_validates(trained_det):
    lines = log_of(trained_det)
    check_losses(lines, {'loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox', 'loss_mask'}, 4)
    (metrics,) = (line for line in lines if 'coco/bbox_mAP' in line)
    assert 0 <= metrics['coco/bbox_mAP'] <= 1 and 0 <= metrics['coco/segm_mAP'] <= 1
    assert trained_det.optim_wrapper._accumulative_counts == 2
    assert (Path(trained_det.work_dir) / 'epoch_1.pth').is_file()


def test_boxes_without_masks_train(tmp_path):
    root = write_coco(tmp_path / 'coco', number=4)
    for path in root.glob('annotations/*.json'):
        content = json.loads(path.read_text())
        for annotation in content['annotations']:
            annotation['segmentation'] = []
        path.write_text(json.dumps(content))
    lines = log_of(train(tiny_det(root, tmp_path / 'run', 'det/faster_rcnn_bootmae_vitb_1x')))
    check_losses(lines, {'loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox'}, 1)
    (metrics,) = (line for line in lines if 'coco/bbox_mAP' in line)
    assert 'coco/segm_mAP' not in metrics


@pytest.mark.parametrize('size', [(70, 90), (33, 170), (20, 50)])
def test_sliding_windows_take_images_of_any_size(trained_seg, size):
    """Upright, long, and smaller than the 64-pixel window; 16 divides none."""
    model = trained_seg.model.eval()
    with spying(model.backbone) as seen, torch.no_grad():
        scores = model.inference(torch.randn(1, 3, *size), [dict(ori_shape=size, img_shape=size)])
    assert scores.shape == (1, 3, *size) and scores.isfinite().all()
    windows = [1 + max(-(-(length - 64) // 42), 0) for length in size]
    assert seen == [(min(size[0], 64), min(size[1], 64))] * (windows[0] * windows[1])


@contextmanager
def spying(module: nn.Module):
    """Sizes of the images that a backbone is given."""
    seen = []
    handle = module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[2:]))
    yield seen
    handle.remove()


def test_multi_scale_testing_is_multi_scale(ade20k, trained_seg, tmp_path):
    """The network sees every picture at six ratios, none below the crop, each twice; the average
    is at full size."""
    cfg = tiny_seg(ade20k, tmp_path)
    cfg.model.test_cfg = dict(mode='whole')
    cfg.tta_model.module = cfg.model
    cfg.model = cfg.tta_model
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    cfg.test_dataloader.dataset.indices = 2
    cfg.train_dataloader = cfg.train_cfg = cfg.optim_wrapper = cfg.param_scheduler = None
    cfg.custom_hooks = []
    with DefaultScope.overwrite_default_scope('mmseg'):
        runner = build_runner(cfg)
        runner.model.module.load_state_dict(trained_seg.model.state_dict())
        with spying(runner.model.module.backbone) as seen:
            metrics = runner.test()
    assert 0 < metrics['mIoU'] <= 100
    sides = [64, 64, 64, 80, 96, 112]
    assert [min(size) for size in seen] == [side for side in sides for _ in range(2)] * 2
    for (height, width), picture in zip(seen, [(70, 90)] * 12 + [(90, 70)] * 12, strict=True):
        assert height / width == pytest.approx(picture[0] / picture[1], abs=0.03)


def detector(coco: Path, tmp_path: Path, drop_path: float = 0.5) -> tuple[nn.Module, dict]:
    """A tiny Mask R-CNN and a batch for it."""
    cfg = tiny_det(coco, tmp_path)
    cfg.model.backbone.drop_path_rate = drop_path
    with DefaultScope.overwrite_default_scope('mmdet'):
        loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
        model.init_weights()
        return model, next(iter(loader))


def losses_and_gradients(model: nn.Module, data: dict, wrapper: type = None, dtype='float32'):
    """The losses, and the gradients of their sum by parameter."""
    torch.manual_seed(1)
    model.zero_grad()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = (wrapper or FeatureAutocastOptimWrapper)(dtype=dtype, optimizer=optimizer)
    with wrapper.optim_context(model):
        batch = model.data_preprocessor(data, True)
        losses = model(**batch, mode='loss')
    total, named = model.parse_losses(losses)
    total.backward()
    return named, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def test_checkpointed_blocks_give_the_same_losses_and_gradients(coco, tmp_path):
    """Also with drop path, and with a frozen patch embedding, whose output needs no gradient."""
    model, data = detector(coco, tmp_path)
    model.backbone.patch_embed.requires_grad_(False)
    model.backbone.cls_token.requires_grad_(False)
    calls = []
    for block in model.backbone.layers:
        block.ln1.register_forward_hook(lambda *_: calls.append(1))
    losses, gradients = losses_and_gradients(model, data)
    assert len(calls) == BLOCKS
    checkpoint_blocks(model.backbone)
    same_losses, same_gradients = losses_and_gradients(model, data)
    assert len(calls) == 3 * BLOCKS  # once more forward, once again in the backward pass
    assert gradients.keys() == same_gradients.keys() and len(gradients) > 12 * BLOCKS
    for name, value in losses.items():
        torch.testing.assert_close(same_losses[name], value, rtol=0, atol=0)
    for name, value in gradients.items():
        torch.testing.assert_close(same_gradients[name], value, rtol=1e-6, atol=1e-9)


def test_the_checkpointed_config_turns_it_on(coco, tmp_path):
    cfg = tiny_det(coco, tmp_path, 'det/mask_rcnn_bootmae_vitb_1x_checkpointed')
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.train_dataloader.dataset.indices = 4
    with DefaultScope.overwrite_default_scope('mmdet'):
        runner = build_runner(cfg)
        calls = []
        for block in runner.model.backbone.layers:
            block.ln1.register_forward_hook(lambda *_: calls.append(1))
        runner.train()
    assert len(calls) == 2 * BLOCKS


def test_boxes_stay_in_float32_where_features_are_bfloat16(coco, tmp_path):
    model, data = detector(coco, tmp_path, drop_path=0.0)
    types = {}
    watched = dict(
        block=model.backbone.layers[0].attn.proj,
        neck=model.neck,
        scores=model.rpn_head.rpn_cls,
        boxes=model.roi_head.bbox_head.fc_reg,
    )
    for name, module in watched.items():
        module.register_forward_hook(
            lambda _, __, out, name=name: types.__setitem__(
                name, (out if isinstance(out, torch.Tensor) else out[0]).dtype
            )
        )
    exact, _ = losses_and_gradients(model, data)
    assert set(types.values()) == {torch.float32}
    rounded, _ = losses_and_gradients(model, data, dtype='bfloat16')
    assert types.pop('block') == torch.bfloat16
    assert types == dict.fromkeys(['neck', 'scores', 'boxes'], torch.float32)
    for name, value in exact.items():
        if name != 'acc':
            torch.testing.assert_close(rounded[name], value, rtol=0.1, atol=0.02)
    assert 'forward' not in vars(model.backbone) and 'forward' not in vars(model.neck)


def test_autocast_of_the_whole_detector_fails(coco, tmp_path):
    """The reason for FeatureAutocastOptimWrapper."""
    model, data = detector(coco, tmp_path)
    with pytest.raises(RuntimeError, match='BFloat16'):
        losses_and_gradients(model, data, AutocastOptimWrapper, 'bfloat16')


@pytest.mark.long
@pytest.mark.parametrize('kind', ['seg', 'det'])
def test_two_processes_on_cpus(kind, ade20k, coco, tmp_path):
    cfg = tiny_seg(ade20k, tmp_path) if kind == 'seg' else tiny_det(coco, tmp_path)
    cfg.train_dataloader.batch_size = 2
    path = tmp_path / f'tiny_{kind}.py'
    cfg.dump(path)
    result = dist_train(path, 2, tmp_path, '--work-dir', tmp_path / 'work')
    assert result.returncode == 0, result.stderr[-6000:]
    (log,) = (tmp_path / 'work').glob('*/*.log')
    text = log.read_text()
    assert '= 2 per process × 2 processes × 1 accumulated' in text
    assert ('mIoU: ' if kind == 'seg' else 'coco/segm_mAP: ') in text
