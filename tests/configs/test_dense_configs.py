"""Segmentation and detection configs: what we chose, whole schedules, forms and batches."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from PIL import Image

from bootmae_mm.engine.build import replace_sync_batch_norm
from bootmae_mm.engine.hooks import hook_list
from bootmae_mm.engine.total_batch import TotalBatchHook
from tests.helpers.configs import build, load, rates

SEG = [
    'upernet_bootmae_vitb_160k',
    'upernet_bootmae_vitb_160k_release',
    'upernet_bootmae_vitl_160k',
]
DET = [f'mask_rcnn_bootmae_vitb_1x{form}' for form in ('', '_checkpointed', '_windowed')]
CONFIGS = [*(f'seg/{name}' for name in SEG), *(f'det/{name}' for name in DET)]


@cache
def built(name: str):
    return build(load(name))


@pytest.mark.parametrize('name', CONFIGS)
def test_what_they_share(name):
    cfg = load(name)
    assert cfg.optim_wrapper.constructor == 'LayerDecayConstructor'
    assert cfg.model.backbone.init_cfg.type == 'PretrainedEncoder'
    assert cfg.custom_hooks.total_batch.type == 'TotalBatchHook'
    assert cfg.custom_hooks.data_check == dict(type='DataCheckHook')
    assert cfg.default_hooks.param_scheduler.type == 'OptimizerStepSchedulerHook'


def test_detection():
    """What the paper leaves open."""
    cfg, model = load('det/mask_rcnn_bootmae_vitb_1x'), built('det/mask_rcnn_bootmae_vitb_1x')
    assert cfg.optim_wrapper.type == 'FeatureAutocastOptimWrapper'
    assert cfg.val_evaluator.metric == ['bbox', 'segm']
    assert model.neck[1].in_channels == [768] * 4
    anchors = model.rpn_head.prior_generator
    assert anchors.strides == [(stride, stride) for stride in (4, 8, 16, 32, 64)]
    assert anchors.num_base_priors == [3] * 5
    assert model.data_preprocessor.pad_size_divisor == 32


def test_boxes_without_masks():
    """Mask R-CNN less its mask branch."""
    with_masks = {*built('det/mask_rcnn_bootmae_vitb_1x').state_dict()}
    left_out = {name for name in with_masks if name.startswith('roi_head.mask_head')}
    assert {*built('det/faster_rcnn_bootmae_vitb_1x').state_dict()} == with_masks - left_out
    assert len(left_out) > 8


def test_the_forms_of_detection_share_weights_and_differ_in_memory():
    plain, checkpointed, windowed = (built(f'det/{name}') for name in DET)
    shapes = {name: p.shape for name, p in plain.state_dict().items()}
    for model in (checkpointed, windowed):
        assert {name: p.shape for name, p in model.state_dict().items()} == shapes
    sides = [block.attn.window_size for block in windowed.backbone.layers]
    assert sides == [14, 14, None] * 4
    assert all(block.attn.window_size is None for block in plain.backbone.layers)
    hooks = [hook_list(load(f'det/{name}').custom_hooks) for name in DET]
    found = ['BlockCheckpointHook' in [hook.type for hook in each] for each in hooks]
    assert found == [False, True, False]


def test_the_learning_rate_of_segmentation():
    """Straight to 0; at first times a rise from 1e-6 to 1, as in the release. By it weight decay
    alone leaves 0.36 of block 12's tables."""
    cfg = load('seg/upernet_bootmae_vitb_160k')
    found, lr = rates(cfg)[:, 0], cfg.optim_wrapper.optimizer.lr
    step = np.arange(len(found))
    rise = np.minimum(1, 1e-6 + (1 - 1e-6) * step / cfg.param_scheduler[0].end)
    np.testing.assert_allclose(found, lr * rise * (1 - step / len(step)), rtol=1e-3, atol=3e-9)
    assert np.prod(1 - 0.65 * found * 0.05) == pytest.approx(0.357, abs=0.001)


@pytest.mark.parametrize(('length', 'warmup'), [(7330, 500), (6, 7)])
def test_the_learning_rate_of_detection(length, warmup):
    """Warm-up over 500 steps of COCO's 12 × 7330, a tenth of a short run; × 0.1 after 8 and 11."""
    cfg = load('det/mask_rcnn_bootmae_vitb_1x')
    found, lr = rates(cfg, length)[:, 0], cfg.optim_wrapper.optimizer.lr
    step = np.arange(12 * length)
    factor = 1e-3 + (1 - 1e-3) * np.minimum(step / (warmup - 1), 1)
    decay = np.where(step < 8 * length, 1, np.where(step < 11 * length, 0.1, 0.01))
    np.testing.assert_allclose(found, lr * factor * decay, rtol=1e-6)


@pytest.mark.parametrize('name', ['upernet_bootmae_vitb_160k', 'upernet_bootmae_vitb_160k_release'])
@pytest.mark.parametrize('width', [300, 1000])
def test_multi_scale_testing_is_the_releases(name, width, tmp_path):
    """Its short sides, however long the other side gets, each as it is and flipped."""
    rng, shape = np.random.default_rng(0), (200, width)
    pipeline = load(f'seg/{name}').tta_pipeline
    Image.fromarray(rng.integers(0, 256, (*shape, 3), dtype=np.uint8)).save(tmp_path / 'a.png')
    Image.fromarray(np.full(shape, 150, dtype=np.uint8)).save(tmp_path / 'b.png')
    picture = dict(
        img_path=str(tmp_path / 'a.png'),
        seg_map_path=str(tmp_path / 'b.png'),
        reduce_zero_label=True,
        seg_fields=[],
    )
    with DefaultScope.overwrite_default_scope('mmseg'):
        out = Compose(pipeline)(picture)
    shapes = [tuple(image.shape[1:]) for image in out['inputs']]
    sides = [step.scale for step in pipeline[1].transforms[0]]
    assert shapes == [(side, side * width // 200) for side in sides for _ in range(2)]
    for plain, flipped in zip(out['inputs'][::2], out['inputs'][1::2], strict=True):
        torch.testing.assert_close(plain.flip(2), flipped)
    for sample in out['data_samples']:
        assert sample.gt_sem_seg.data.shape == (1, *shape)
        assert sample.gt_sem_seg.data.unique().tolist() == [149]


@pytest.mark.parametrize('name', CONFIGS)
def test_from_scratch_is_an_override(name):
    cfg = load(name)
    cfg.merge_from_dict({'model.backbone.init_cfg': None})
    assert cfg.model.backbone.init_cfg is None


def start(loop_type: type, batch: int, **loader) -> int:
    """The accumulation that a recipe of batch 16 sets in one process."""
    runner = SimpleNamespace(
        train_dataloader=SimpleNamespace(batch_size=batch, **loader),
        train_loop=object.__new__(loop_type),
        optim_wrapper=SimpleNamespace(),
        logger=SimpleNamespace(info=lambda text: None),
    )
    TotalBatchHook(16).before_run(runner)
    return runner.optim_wrapper._accumulative_counts


def test_iterations_are_optimiser_steps():
    assert start(IterBasedTrainLoop, 16) == 1
    sentence = 'batch_size=2 × 1 processes = 2; set batch_size so that their product is 16'
    with pytest.raises(ValueError, match=sentence):
        start(IterBasedTrainLoop, 2)
    assert start(EpochBasedTrainLoop, 2) == 8


def test_a_batch_sampler_knows_the_batch_size():
    assert start(EpochBasedTrainLoop, None, batch_sampler=SimpleNamespace(batch_size=4)) == 4


def test_sync_batch_norm_is_replaced_everywhere():
    cfg = load('seg/upernet_bootmae_vitb_160k')
    assert str(cfg.model).count('SyncBN') == 3
    assert replace_sync_batch_norm(cfg.model)
    assert 'SyncBN' not in str(cfg.model) and str(cfg.model).count("'BN'") == 3
    assert not replace_sync_batch_norm(cfg.model)
    necks = dict(neck=[dict(type='A'), dict(norm_cfg=dict(type='SyncBN', eps=1e-3))])
    assert replace_sync_batch_norm(necks) and necks['neck'][1]['norm_cfg']['type'] == 'BN'
