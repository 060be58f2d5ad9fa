"""Segmentation and detection configs hold what the paper, the release and our choices say."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS, PARAM_SCHEDULERS, DefaultScope
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from PIL import Image

from bootmae_mm.engine.build import replace_sync_batch_norm
from bootmae_mm.engine.hooks import hook_list
from bootmae_mm.engine.total_batch import TotalBatchHook
from tests.helpers.dense_data import load
from tests.helpers.paths import ROOT

BASE = dict(width=768, blocks=[3, 5, 7, 11], img_size=224)
SEG = {
    'upernet_bootmae_vitb_160k': BASE | dict(lr=4e-4, decay=0.65),
    'upernet_bootmae_vitb_160k_release': BASE | dict(lr=4e-4, decay=0.65, img_size=512),
    'upernet_bootmae_vitl_160k': dict(
        width=1024, blocks=[7, 11, 15, 23], img_size=224, lr=2.4e-4, decay=0.8
    ),
}
DET = dict.fromkeys(
    [f'mask_rcnn_bootmae_vitb_1x{form}' for form in ('', '_checkpointed', '_windowed')],
    BASE | dict(lr=4e-4, decay=0.75),
)
RECIPES = {f'seg/{name}': recipe for name, recipe in SEG.items()}
RECIPES |= {f'det/{name}': recipe for name, recipe in DET.items()}


@cache
def build(name: str):
    """The model without memory for its weights."""
    cfg = load(name)
    with DefaultScope.overwrite_default_scope(cfg.default_scope), torch.device('meta'):
        return MODELS.build(cfg.model)


def test_every_dense_config_is_in_the_table():
    files = {
        f'{path.parent.name}/{path.stem}' for path in (ROOT / 'configs').glob('[sd]e[gt]/*.py')
    }
    assert files == {*RECIPES, 'det/faster_rcnn_bootmae_vitb_1x'}


@pytest.mark.parametrize('name, recipe', RECIPES.items())
def test_what_they_share(name, recipe):
    cfg = load(name)
    wrapper, backbone = cfg.optim_wrapper, cfg.model.backbone
    assert wrapper.optimizer.type == 'AdamW'
    assert wrapper.optimizer.lr == pytest.approx(recipe['lr'])
    assert (wrapper.optimizer.betas, wrapper.optimizer.weight_decay) == ((0.9, 0.999), 0.05)
    assert wrapper.paramwise_cfg.layer_decay_rate == recipe['decay']
    # Tokens and positions decay in the release's form of segmentation alone.
    assert wrapper.paramwise_cfg.get('decay_embeddings', False) == name.endswith('_release')
    assert (wrapper.constructor, wrapper.dtype) == ('LayerDecayConstructor', 'bfloat16')
    assert backbone.type == 'mmpretrain.BootMAEViT'
    assert (backbone.drop_path_rate, backbone.final_norm) == (0.1, False)
    assert (backbone.out_indices, backbone.img_size) == (recipe['blocks'], recipe['img_size'])
    assert backbone.init_cfg.type == 'PretrainedEncoder'
    preprocessor = cfg.model.data_preprocessor
    assert preprocessor.mean == preprocessor.std == [127.5] * 3 and preprocessor.bgr_to_rgb
    assert cfg.custom_hooks.total_batch == dict(type='TotalBatchHook', total_batch_size=16)
    assert cfg.custom_hooks.data_check == dict(type='DataCheckHook')
    assert cfg.train_dataloader.batch_size * 8 == 16
    assert cfg.default_hooks.param_scheduler.type == 'OptimizerStepSchedulerHook'


@pytest.mark.parametrize('name, recipe', SEG.items())
def test_segmentation(name, recipe):
    cfg = load(f'seg/{name}')
    assert cfg.train_cfg == dict(type='IterBasedTrainLoop', max_iters=160_000, val_interval=16_000)
    assert cfg.optim_wrapper.clip_grad == dict(max_norm=3)
    assert cfg.model.test_cfg == dict(mode='slide', crop_size=(512, 512), stride=(341, 341))
    steps = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert list(steps) == [
        *('LoadAnyImage', 'LoadLabelMap', 'CheckSegLabels', 'RandomResize', 'RandomCrop'),
        *('RandomFlip', 'PhotoMetricDistortion', 'PackSegInputs'),
    ]
    resize, crop = steps['RandomResize'], steps['RandomCrop']
    assert (resize.scale, resize.ratio_range) == ((2048, 512), (0.5, 2.0)) and resize.keep_ratio
    assert (crop.crop_size, crop.cat_max_ratio) == ((512, 512), 0.75)
    model, width = build(f'seg/{name}'), recipe['width']
    assert model.neck.scales == (4, 2, 1, 0.5)
    assert len(model.neck.upsample_4x) == 4
    decode, auxiliary = model.decode_head, model.auxiliary_head
    assert type(decode).__name__ == 'UPerHead'
    assert (decode.channels, decode.in_channels) == (width, [width] * 4)
    assert (decode.num_classes, decode.dropout_ratio) == (150, 0.1)
    assert [module[0].output_size for module in decode.psp_modules] == [1, 2, 3, 6]
    assert type(auxiliary).__name__ == 'FCNHead'
    assert (auxiliary.channels, auxiliary.in_index, auxiliary.in_channels) == (256, 2, width)
    assert (len(auxiliary.convs), auxiliary.loss_decode.loss_weight) == (1, 0.4)


def test_the_two_forms_of_segmentation():
    plain, release = (build(f'seg/{name}').backbone for name in list(SEG)[:2])
    added = dict(release.named_parameters()).keys() - dict(plain.named_parameters()).keys()
    leaves = 'attn.relative_position_bias_table', 'attn.gamma1.weight', 'ffn.gamma2.weight'
    assert added == {f'layers.{block}.{leaf}' for block in range(12) for leaf in leaves}
    assert (plain.pos_embed.requires_grad, release.pos_embed.requires_grad) == (False, True)
    assert tuple(release.patch_resolution) == (32, 32)
    assert release.layers[0].attn.relative_position_bias_table.shape == (63 * 63 + 3, 12)
    cfg = load('seg/upernet_bootmae_vitb_160k_release')
    assert cfg.model.backbone.layer_scale_init_value == 1.0


@pytest.mark.parametrize('name', DET)
def test_detection(name):
    cfg = load(f'det/{name}')
    assert cfg.train_cfg.max_epochs == 12
    assert cfg.optim_wrapper.type == 'FeatureAutocastOptimWrapper'
    for pipeline in (cfg.train_dataloader.dataset.pipeline, cfg.val_dataloader.dataset.pipeline):
        (resize,) = (step for step in pipeline if step.type == 'Resize')
        assert (resize.scale, resize.keep_ratio) == ((1333, 800), True)
    assert cfg.val_evaluator.metric == ['bbox', 'segm']
    model = build(f'det/{name}')
    pyramid, fpn = model.neck
    assert pyramid.scales == (4, 2, 1, 0.5)
    assert (fpn.in_channels, fpn.out_channels, fpn.num_outs) == ([768] * 4, 256, 5)
    anchors = model.rpn_head.prior_generator
    assert anchors.strides == [(stride, stride) for stride in (4, 8, 16, 32, 64)]
    assert anchors.num_base_priors == [3] * 5
    assert model.roi_head.bbox_head.num_classes == model.roi_head.mask_head.num_classes == 80
    assert model.data_preprocessor.pad_size_divisor == 32


def test_boxes_without_masks():
    """Mask R-CNN less its mask branch."""
    with_masks = {*build('det/mask_rcnn_bootmae_vitb_1x').state_dict()}
    left_out = {name for name in with_masks if name.startswith('roi_head.mask_head')}
    assert {*build('det/faster_rcnn_bootmae_vitb_1x').state_dict()} == with_masks - left_out
    assert len(left_out) > 8


def test_the_forms_of_detection_share_weights_and_differ_in_memory():
    plain, checkpointed, windowed = (build(f'det/{name}') for name in DET)
    shapes = {name: p.shape for name, p in plain.state_dict().items()}
    for model in (checkpointed, windowed):
        assert {name: p.shape for name, p in model.state_dict().items()} == shapes
    sides = [block.attn.window_size for block in windowed.backbone.layers]
    assert sides == [14, 14, None] * 4
    assert all(block.attn.window_size is None for block in plain.backbone.layers)
    hooks = [hook_list(load(f'det/{name}').custom_hooks) for name in DET]
    found = ['BlockCheckpointHook' in [hook.type for hook in each] for each in hooks]
    assert found == [False, True, False]


def rates(cfg, length: int, steps: int, base: float) -> np.ndarray:
    """The learning rate of every batch, as mmengine's schedulers give it."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
    wrapper, schedulers, by_epoch = OptimWrapper(optimizer), [], []
    for item in map(dict, cfg.param_scheduler):
        scheduler = PARAM_SCHEDULERS.get(item.pop('type'))
        if item.pop('convert_to_iter_based', False):
            item.update(epoch_length=length, end=item.get('end', cfg.train_cfg.max_epochs))
            scheduler = scheduler.build_iter_from_epoch
        (by_epoch if item['by_epoch'] and 'epoch_length' not in item else schedulers).append(
            scheduler(optimizer=wrapper, **item)
        )
    found = np.empty(steps)
    for step in range(steps):
        found[step] = optimizer.param_groups[0]['lr']
        for scheduler in schedulers:
            scheduler.step()
        if (step + 1) % length == 0:
            for scheduler in by_epoch:
                scheduler.step()
    return found


def test_the_learning_rate_of_segmentation():
    """Straight from 4e-4 to 0 at 160,000; over the first 1500 times a rise from 1e-6 to 1, as in
    the release. By it weight decay alone leaves 0.36 of block 12's tables."""
    found = rates(load('seg/upernet_bootmae_vitb_160k'), 1, 160_000, 4e-4)
    step = np.arange(160_000)
    rise = np.minimum(1, 1e-6 + (1 - 1e-6) * step / 1500)
    np.testing.assert_allclose(found, 4e-4 * rise * (1 - step / 160_000), rtol=1e-3, atol=3e-9)
    assert np.prod(1 - 0.65 * found * 0.05) == pytest.approx(0.357, abs=0.001)


@pytest.mark.parametrize(('length', 'warmup'), [(7330, 500), (6, 7)])
def test_the_learning_rate_of_detection(length, warmup):
    """Warm-up over 500 steps of COCO's 12 × 7330, a tenth of a short run; × 0.1 after 8 and 11."""
    found = rates(load('det/mask_rcnn_bootmae_vitb_1x'), length, 12 * length, 4e-4)
    step = np.arange(12 * length)
    factor = 1e-3 + (1 - 1e-3) * np.minimum(step / (warmup - 1), 1)
    decay = np.where(step < 8 * length, 1, np.where(step < 11 * length, 0.1, 0.01))
    np.testing.assert_allclose(found, 4e-4 * factor * decay, rtol=1e-6)


@pytest.mark.parametrize('name', ['upernet_bootmae_vitb_160k', 'upernet_bootmae_vitb_160k_release'])
@pytest.mark.parametrize('width', [300, 1000])
def test_multi_scale_testing_is_the_releases(name, width, tmp_path):
    """Short sides of 0.5 to 1.75 × 512 but at least 512, however long the other side gets, each as
    it is and flipped."""
    rng, shape = np.random.default_rng(0), (200, width)
    Image.fromarray(rng.integers(0, 256, (*shape, 3), dtype=np.uint8)).save(tmp_path / 'a.png')
    Image.fromarray(np.full(shape, 150, dtype=np.uint8)).save(tmp_path / 'b.png')
    picture = dict(
        img_path=str(tmp_path / 'a.png'),
        seg_map_path=str(tmp_path / 'b.png'),
        reduce_zero_label=True,
        seg_fields=[],
    )
    with DefaultScope.overwrite_default_scope('mmseg'):
        out = Compose(load(f'seg/{name}').tta_pipeline)(picture)
    shapes = [tuple(image.shape[1:]) for image in out['inputs']]
    sides = [512, 512, 512, 640, 768, 896]
    assert shapes == [(side, side * width // 200) for side in sides for _ in range(2)]
    for plain, flipped in zip(out['inputs'][::2], out['inputs'][1::2], strict=True):
        torch.testing.assert_close(plain.flip(2), flipped)
    for sample in out['data_samples']:
        assert sample.gt_sem_seg.data.shape == (1, *shape)
        assert sample.gt_sem_seg.data.unique().tolist() == [149]


@pytest.mark.parametrize('name', RECIPES)
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
