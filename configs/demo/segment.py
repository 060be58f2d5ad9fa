"""UperNet on a few pictures of 32 pixels in ADE20K's layout, from scratch or a pretrained encoder.
The base of configs/photos/photos_segment.py.

    python tools/train.py configs/demo/segment.py

Start      work_dirs/pretrain/epoch_11.pth, which configs/demo/pretrain.py writes, or another by
           --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
Scratch    --cfg-options model.backbone.init_cfg=None
Data       data/small/ade/{images,annotations}/{training,validation}, 0 to 8, some 800 to train on
Pictures   32 × 32, patch 4: 8 × 8 = 64 tokens
Maps       of strides 2, 4, 8, 16, with the scales 2, 1, 1/2, 1/4 of the adapter
"""

_base_ = [
    '../_base_/models/upernet_bootmae_vitb.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/schedules/ade20k_160k.py',
    '../_base_/runtime.py',
]

default_scope = 'mmseg'
max_iters = 120
warmup_iters = 20
num_classes = 9  # 8 shapes, and the background

arch = dict(embed_dims=96, num_layers=4, num_heads=3, feedforward_channels=4 * 96)
norm_cfg = dict(type='BN')
head = dict(channels=32, num_classes=num_classes, norm_cfg=norm_cfg)
model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], size=(32, 32)
    ),
    backbone=dict(
        arch=dict(_delete_=True, **arch),
        img_size=32,
        patch_size=4,
        out_indices=[0, 1, 2, 3],
        drop_path_rate=0.0,
        init_cfg=dict(checkpoint='work_dirs/pretrain/epoch_11.pth'),
    ),
    neck=dict(embed_dims=96, scales=(2, 1, 0.5, 0.25), norm_cfg=norm_cfg),
    decode_head=dict(in_channels=[96] * 4, **head),
    auxiliary_head=dict(in_channels=96, **head),
    test_cfg=dict(_delete_=True, mode='whole'),
)
load_labels = dict(type='LoadLabelMap')
dataset = dict(
    _delete_=True,
    type='SegmentationFolders',
    data_root='data/small/ade',
    reduce_zero_label=False,  # the background, 0, is a class
    metainfo=dict(
        classes=(
            'background', 'bar', 'crescent', 'cross', 'disc', 'ring', 'square', 'star', 'triangle'
        ),
        palette=[
            [0, 0, 0], [230, 25, 75], [60, 180, 75], [255, 225, 25], [0, 130, 200],
            [245, 130, 48], [145, 30, 180], [70, 240, 240], [240, 50, 230],
        ],
    ),
)  # fmt: skip
loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(
    **loader,
    batch_size=32,
    dataset=dict(
        **dataset,
        data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'),
        pipeline=[
            dict(type='LoadAnyImage'),
            load_labels,
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackSegInputs'),
        ],
    ),
)
val_dataloader = dict(
    **loader,
    batch_size=25,
    dataset=dict(
        **dataset,
        data_prefix=dict(img_path='images/validation', seg_map_path='annotations/validation'),
        test_mode=True,
        pipeline=[dict(type='LoadImageFromFile'), load_labels, dict(type='PackSegInputs')],
    ),
)
test_dataloader = val_dataloader
optim_wrapper = dict(
    dtype='float32', paramwise_cfg=dict(layer_decay_rate=0.7), optimizer=dict(lr=3e-3)
)
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(start_factor=1e-3, end=warmup_iters)
param_scheduler[1].update(begin=warmup_iters, end=max_iters)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
custom_hooks = dict(total_batch=dict(total_batch_size=32))
default_hooks = dict(
    logger=dict(interval=25, log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=max_iters),
)
log_processor = dict(by_epoch=False)
visualizer = dict(type='SegLocalVisualizer')
