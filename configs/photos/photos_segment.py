"""UperNet on small pictures of streets in ADE20K's layout, from scratch or a pretrained encoder.

    python tools/train.py configs/photos/photos_segment.py \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/photos_pretrain/epoch_8.pth

Data       data/photos/ade/{images,annotations}/{training,validation}: CamVid's 367 and 101 pictures
           of 480 × 360, labels 1 to 11 for its classes and 0 for no label
Pictures   a third of their size, 160 × 120; crops of 96 pixels, patch 8: 12 × 12 = 144 tokens
Scratch    --cfg-options model.backbone.init_cfg=None
"""

_base_ = ['../demo/segment.py']

max_iters = 300
warmup_iters = 30
num_classes = 11
scale = (160, 120)

arch = dict(embed_dims=96, num_layers=6, num_heads=3, feedforward_channels=4 * 96)
model = dict(
    data_preprocessor=dict(size=(96, 96)),
    backbone=dict(
        arch=dict(_delete_=True, **arch),
        img_size=96,
        patch_size=8,
        out_indices=[1, 2, 3, 5],
        drop_path_rate=0.1,
        init_cfg=dict(checkpoint='work_dirs/photos_pretrain/epoch_8.pth'),
    ),
    neck=dict(scales=(4, 2, 1, 0.5)),
    decode_head=dict(num_classes=num_classes),
    auxiliary_head=dict(num_classes=num_classes),
)
dataset = dict(
    data_root='data/photos/ade',
    reduce_zero_label=True,
    metainfo=dict(
        _delete_=True,
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
load_labels = _base_.load_labels
train_dataloader = dict(
    batch_size=16,
    dataset=dict(
        **dataset,
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
    batch_size=1,
    dataset=dict(
        **dataset,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=scale, keep_ratio=True),
            load_labels,
            dict(type='PackSegInputs'),
        ],
    ),
)
test_dataloader = val_dataloader
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.85))
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(end=warmup_iters)
param_scheduler[1].update(begin=warmup_iters, end=max_iters)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
custom_hooks = dict(total_batch=dict(total_batch_size=16))
default_hooks = dict(checkpoint=dict(interval=max_iters))
