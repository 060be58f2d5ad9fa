"""Mask R-CNN on small pictures of pedestrians in COCO's layout, from scratch or from an encoder.

    python tools/train.py configs/photos/photos_detect.py \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/photos_pretrain/epoch_8.pth

Data       data/photos/coco/{train2017,val2017,annotations}: Penn-Fudan's 120 and 50 pictures of
           about 500 × 400, 423 pedestrians
Pictures   at most 160 × 128, patch 8: some 240 tokens
Maps       of strides 2, 4, 8, 16 from blocks 2, 3, 4 and 6, with anchors of 8, 16, 32 and 64 pixels
Scratch    --cfg-options model.backbone.init_cfg=None
"""

_base_ = [
    '../_base_/models/mask_rcnn_bootmae_vitb.py',
    '../_base_/datasets/coco_instance.py',
    '../_base_/schedules/coco_1x.py',
    '../_base_/runtime.py',
]

default_scope = 'mmdet'
max_epochs = 40
warmup_epochs = 2
scale = (160, 128)
data_root = 'data/photos/coco'
num_classes = 1

arch = dict(embed_dims=96, num_layers=6, num_heads=3, feedforward_channels=4 * 96)
norm_cfg = dict(type='BN')
strides = [2, 4, 8, 16]
# A pedestrian, whose area's root is some 57 pixels, is cut from the map of stride 4.
extractor = dict(out_channels=32, featmap_strides=strides, finest_scale=28)
model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], pad_size_divisor=16
    ),
    backbone=dict(
        arch=dict(_delete_=True, **arch),
        img_size=128,
        patch_size=8,
        out_indices=[1, 2, 3, 5],
        drop_path_rate=0.1,
        init_cfg=dict(checkpoint='work_dirs/photos_pretrain/epoch_8.pth'),
    ),
    neck=[
        dict(type='FourScalePyramid', embed_dims=96, scales=(4, 2, 1, 0.5), norm_cfg=norm_cfg),
        dict(type='FPN', in_channels=[96] * 4, out_channels=32, num_outs=4, norm_cfg=norm_cfg),
    ],
    rpn_head=dict(
        in_channels=32, feat_channels=32, anchor_generator=dict(scales=[4], strides=strides)
    ),
    roi_head=dict(
        bbox_roi_extractor=extractor,
        bbox_head=dict(in_channels=32, fc_out_channels=128, num_classes=num_classes),
        mask_roi_extractor=extractor,
        mask_head=dict(num_convs=2, in_channels=32, conv_out_channels=32, num_classes=num_classes),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=64)),
        rpn_proposal=dict(nms_pre=200, max_per_img=100),
        rcnn=dict(sampler=dict(num=32, pos_fraction=0.25)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=50), rcnn=dict(max_per_img=10)),
)
dataset = dict(data_root=data_root, metainfo=dict(classes=('pedestrian',)))
train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[2].update(scale=scale)
test_pipeline[1].update(scale=scale)
loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(
    **loader,
    batch_size=8,
    dataset=dict(**dataset, filter_cfg=dict(min_size=1), pipeline=train_pipeline),
)
val_dataloader = dict(**loader, batch_size=10, dataset=dict(**dataset, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=f'{data_root}/annotations/instances_val2017.json')
test_evaluator = val_evaluator
optim_wrapper = dict(
    dtype='float32',
    paramwise_cfg=dict(layer_decay_rate=0.85),
    optimizer=dict(lr=2e-3),
    clip_grad=dict(max_norm=10),
)
by_step = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=warmup_epochs, **by_step),
    dict(type='CosineAnnealingLR', begin=warmup_epochs, end=max_epochs, **by_step),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
default_hooks = dict(logger=dict(interval=5), checkpoint=dict(interval=max_epochs))
visualizer = dict(type='DetLocalVisualizer')
