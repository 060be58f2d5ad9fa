"""Mask R-CNN on a few pictures of 32 pixels in COCO's layout, from scratch or a pretrained encoder.
The base of configs/photos/photos_detect.py.

    python tools/train.py configs/demo/detect.py

Start      work_dirs/pretrain/epoch_11.pth, which configs/demo/pretrain.py writes, or another by
           --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
Scratch    --cfg-options model.backbone.init_cfg=None
Data       data/small/coco/{train2017,val2017,annotations}, some 800 to train on
Pictures   32 × 32, patch 4: 8 × 8 = 64 tokens
Maps       of strides 2, 4, 8, 16, with anchors of 8, 16, 32 and 64 pixels
"""

_base_ = [
    '../_base_/models/mask_rcnn_bootmae_vitb.py',
    '../_base_/datasets/coco_instance.py',
    '../_base_/schedules/coco_1x.py',
    '../_base_/runtime.py',
]

default_scope = 'mmdet'
max_epochs = 3
warmup_epochs = 0.5
num_classes = 8
data_root = 'data/small/coco'

arch = dict(embed_dims=96, num_layers=4, num_heads=3, feedforward_channels=4 * 96)
norm_cfg = dict(type='BN')
strides = [2, 4, 8, 16]
# A region of 16 pixels, half a large shape, is cut from the finest map.
extractor = dict(out_channels=32, featmap_strides=strides, finest_scale=8)
model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], pad_size_divisor=1
    ),
    backbone=dict(
        arch=dict(_delete_=True, **arch),
        img_size=32,
        patch_size=4,
        out_indices=[0, 1, 2, 3],
        drop_path_rate=0.0,
        init_cfg=dict(checkpoint='work_dirs/pretrain/epoch_11.pth'),
    ),
    neck=[
        dict(
            type='FourScalePyramid',
            embed_dims=96,
            scales=(2, 1, 0.5, 0.25),
            norm_cfg=norm_cfg,
        ),
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
        rpn_proposal=dict(nms_pre=100, max_per_img=20),
        rcnn=dict(sampler=dict(num=16, pos_fraction=0.5)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=100, max_per_img=20), rcnn=dict(max_per_img=10)),
)
classes = ('bar', 'crescent', 'cross', 'disc', 'ring', 'square', 'star', 'triangle')
dataset = dict(data_root=data_root, metainfo=dict(classes=classes))
train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[2].update(scale=(32, 32))
test_pipeline[1].update(scale=(32, 32))
loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(
    **loader,
    batch_size=16,
    dataset=dict(**dataset, filter_cfg=dict(min_size=1), pipeline=train_pipeline),
)
val_dataloader = dict(**loader, batch_size=16, dataset=dict(**dataset, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=f'{data_root}/annotations/instances_val2017.json')
test_evaluator = val_evaluator
optim_wrapper = dict(
    dtype='float32',
    paramwise_cfg=dict(layer_decay_rate=0.7),
    optimizer=dict(lr=1e-3),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-3,
        begin=0,
        end=warmup_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        begin=warmup_epochs,
        end=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
default_hooks = dict(logger=dict(interval=25), checkpoint=dict(interval=max_epochs))
visualizer = dict(type='DetLocalVisualizer')
