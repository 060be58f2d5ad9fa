"""Mask R-CNN on small pictures of pedestrians in COCO's layout, from scratch or from an encoder.

    python tools/train.py configs/photos/photos_detect.py \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/photos_pretrain/epoch_8.pth

Data       data/photos/coco/{train2017,val2017,annotations}: Penn-Fudan's 120 and 50 pictures of
           about 500 × 400, 423 pedestrians
Pictures   at most 160 × 128, patch 8: some 240 tokens, maps of strides 2, 4, 8, 16
Scratch    --cfg-options model.backbone.init_cfg=None
"""

_base_ = ['../demo/detect.py']

max_epochs = 40
warmup_epochs = 2
scale = (160, 128)
data_root = 'data/photos/coco'
num_classes = 1

# A pedestrian, whose area's root is some 57 pixels, is cut from the map of stride 4.
extractor = dict(finest_scale=28)
arch = dict(embed_dims=96, num_layers=6, num_heads=3, feedforward_channels=4 * 96)
model = dict(
    data_preprocessor=dict(pad_size_divisor=16),
    backbone=dict(
        arch=dict(_delete_=True, **arch),
        img_size=128,
        patch_size=8,
        out_indices=[1, 2, 3, 5],
        drop_path_rate=0.1,
        init_cfg=dict(checkpoint='work_dirs/photos_pretrain/epoch_8.pth'),
    ),
    roi_head=dict(
        bbox_roi_extractor=extractor,
        bbox_head=dict(num_classes=num_classes),
        mask_roi_extractor=extractor,
        mask_head=dict(num_classes=num_classes),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=200, max_per_img=100),
        rcnn=dict(sampler=dict(num=32, pos_fraction=0.25)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=50)),
)
model['neck'] = _base_.model.neck
model['neck'][0].update(scales=(4, 2, 1, 0.5))
dataset = dict(data_root=data_root, metainfo=dict(classes=('pedestrian',)))
train_pipeline = _base_.train_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[2].update(scale=scale)
test_pipeline[1].update(scale=scale)
train_dataloader = dict(batch_size=8, dataset=dict(**dataset, pipeline=train_pipeline))
val_dataloader = dict(batch_size=10, dataset=dict(**dataset, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=f'{data_root}/annotations/instances_val2017.json')
test_evaluator = val_evaluator
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.85), optimizer=dict(lr=2e-3))
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(end=warmup_epochs)
param_scheduler[1].update(begin=warmup_epochs, end=max_epochs)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
default_hooks = dict(logger=dict(interval=5), checkpoint=dict(interval=max_epochs))
