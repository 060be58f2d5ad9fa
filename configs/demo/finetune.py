"""Fine-tuning on a few labelled pictures of 32 pixels, from scratch or from a pretrained encoder.
The base of configs/photos/photos_finetune.py.

    python tools/train.py configs/demo/finetune.py \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/pretrain/epoch_11.pth \\
                      model.backbone.init_cfg.type=PretrainedEncoder

Data       data/small/classes/{train,val}/<class>, of 32 × 32 pixels, 8 classes, 800 to train on
"""

_base_ = ['../_base_/runtime.py']

max_epochs = 16
arch = dict(embed_dims=96, num_layers=4, num_heads=3, feedforward_channels=4 * 96)
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True, num_classes=8
    ),
    backbone=dict(
        type='BootMAEViT',
        arch=arch,
        img_size=32,
        patch_size=4,
        final_norm=False,
        out_type='avg_featmap',
    ),
    head=dict(
        type='LinearClsHead',
        num_classes=8,
        in_channels=96,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1),
    ),
)
train_pipeline = [
    dict(type='LoadAnyImage'),
    dict(
        type='RandomResizedCrop',
        scale=32,
        crop_ratio_range=(0.5, 1.0),
        backend='pillow',
        interpolation='bicubic',
    ),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
loader = dict(num_workers=0, persistent_workers=False, collate_fn=dict(type='default_collate'))
train_dataloader = dict(
    **loader,
    batch_size=50,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ImageFolders',
        data_root='data/small/classes',
        data_prefix='train',
        ann_file='',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    **loader,
    batch_size=250,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ImageFolders',
        data_root='data/small/classes',
        data_prefix='val',
        pipeline=[dict(type='LoadAnyImage'), dict(type='PackInputs')],
    ),
)
val_evaluator = dict(type='Accuracy', topk=1)
val_cfg = dict()
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict()
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(
    constructor='WeightDecayConstructor',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05, fused=True),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-3,
        begin=0,
        end=2,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        begin=2,
        end=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
custom_hooks = dict(
    data_check=dict(type='DataCheckHook'),
    image_report=dict(type='ImageReportHook'),
)
default_hooks = dict(logger=dict(interval=16), checkpoint=dict(interval=max_epochs))
