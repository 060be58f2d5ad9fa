"""UperNet on small pictures of streets in ADE20K's layout, from scratch or a pretrained encoder.

    python tools/train.py configs/photos/photos_segment.py \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/photos_pretrain/epoch_8.pth

Data       data/photos/ade/{images,annotations}/{training,validation}: CamVid's 367 and 101 pictures
           of 480 × 360, labels 1 to 11 for its classes and 0 for no label
Pictures   a third of their size, 160 × 120; crops of 96 pixels, patch 8: 12 × 12 = 144 tokens
Maps       of strides 2, 4, 8 and 16 from blocks 2, 3, 4 and 6
Scratch    --cfg-options model.backbone.init_cfg=None
"""

_base_ = [
    '../_base_/models/upernet_bootmae_vitb.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/schedules/ade20k_160k.py',
    '../_base_/runtime.py',
]

default_scope = 'mmseg'
max_iters = 300
warmup_iters = 30
num_classes = 11
scale = (160, 120)

arch = dict(embed_dims=96, num_layers=6, num_heads=3, feedforward_channels=4 * 96)
norm_cfg = dict(type='BN')
head = dict(channels=32, num_classes=num_classes, norm_cfg=norm_cfg)
model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], size=(96, 96)
    ),
    backbone=dict(
        arch=dict(_delete_=True, **arch),
        img_size=96,
        patch_size=8,
        out_indices=[1, 2, 3, 5],
        drop_path_rate=0.1,
        init_cfg=dict(checkpoint='work_dirs/photos_pretrain/epoch_8.pth'),
    ),
    neck=dict(embed_dims=96, scales=(4, 2, 1, 0.5), norm_cfg=norm_cfg),
    decode_head=dict(in_channels=[96] * 4, **head),
    auxiliary_head=dict(in_channels=96, **head),
    test_cfg=dict(_delete_=True, mode='whole'),
)
load_labels = dict(type='LoadLabelMap')
dataset = dict(
    _delete_=True,
    type='SegmentationFolders',
    data_root='data/photos/ade',
    reduce_zero_label=True,
    metainfo=dict(
        classes=(
            'sky', 'building', 'pole', 'road', 'pavement', 'tree', 'sign', 'fence', 'car',
            'pedestrian', 'bicyclist',
        ),
        palette=[
            [128, 128, 128], [128, 0, 0], [192, 192, 128], [128, 64, 128], [60, 40, 222],
            [128, 128, 0], [192, 128, 128], [64, 64, 128], [64, 0, 128], [64, 64, 0],
            [0, 128, 192],
        ],
    ),
)  # fmt: skip
loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(
    **loader,
    batch_size=16,
    dataset=dict(
        **dataset,
        data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'),
        pipeline=[
            dict(type='LoadAnyImage'),
            load_labels,
            dict(type='RandomResize', scale=scale, ratio_range=(0.8, 1.6), keep_ratio=True),
            dict(type='RandomCrop', crop_size=(96, 96), cat_max_ratio=0.75),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackSegInputs'),
        ],
    ),
)
val_dataloader = dict(
    **loader,
    dataset=dict(
        **dataset,
        data_prefix=dict(img_path='images/validation', seg_map_path='annotations/validation'),
        test_mode=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=scale, keep_ratio=True),
            load_labels,
            dict(type='PackSegInputs'),
        ],
    ),
)
test_dataloader = val_dataloader
optim_wrapper = dict(
    dtype='float32', paramwise_cfg=dict(layer_decay_rate=0.85), optimizer=dict(lr=3e-3)
)
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(start_factor=1e-3, end=warmup_iters)
param_scheduler[1].update(begin=warmup_iters, end=max_iters)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
custom_hooks = dict(total_batch=dict(total_batch_size=16))
default_hooks = dict(
    logger=dict(interval=25, log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=max_iters),
)
log_processor = dict(by_epoch=False)
visualizer = dict(type='SegLocalVisualizer')
