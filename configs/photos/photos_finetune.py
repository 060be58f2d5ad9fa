"""Fine-tuning on a tenth of the labels of the photographs, from scratch or a pretrained encoder.

    python tools/train.py configs/photos/photos_finetune.py \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/photos_pretrain/epoch_8.pth \\
                      model.backbone.init_cfg.type=PretrainedEncoder

Data       data/photos/imagenet/{train,val}/<class>; every tenth picture of train: 5,000
Schedule   5,000 // 50 = 100 steps an epoch, 12 epochs
Classes    others: model.head.num_classes and model.data_preprocessor.num_classes
"""

_base_ = ['../_base_/runtime.py']

max_epochs = 12
warmup_epochs = 2
num_classes = 100

arch = dict(embed_dims=96, num_layers=6, num_heads=3, feedforward_channels=4 * 96)
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
        num_classes=num_classes,
    ),
    backbone=dict(
        type='BootMAEViT',
        arch=arch,
        img_size=64,
        patch_size=8,
        drop_path_rate=0.1,
        final_norm=False,
        out_type='avg_featmap',
    ),
    head=dict(
        type='LinearClsHead',
        num_classes=num_classes,
        in_channels=96,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1),
    ),
)
dataset = dict(type='ImageFolders', data_root='data/photos/imagenet')
loader = dict(num_workers=0, persistent_workers=False, collate_fn=dict(type='default_collate'))
train_dataloader = dict(
    **loader,
    batch_size=50,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        **dataset,
        data_prefix='train',
        every=10,
        pipeline=[
            dict(type='LoadAnyImage'),
            dict(type='RandomCropFlip', scale=64, crop_ratio_range=(0.2, 1.0)),
            dict(type='PackInputs'),
        ],
    ),
)
val_dataloader = dict(
    **loader,
    batch_size=250,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **dataset,
        data_prefix='val',
        pipeline=[
            dict(type='LoadAnyImage'),
            dict(type='ResizeEdge', scale=64, edge='short', backend='pillow'),
            dict(type='CenterCrop', crop_size=64),
            dict(type='PackInputs'),
        ],
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
by_step = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=warmup_epochs, **by_step),
    dict(type='CosineAnnealingLR', begin=warmup_epochs, end=max_epochs, **by_step),
]
custom_hooks = dict(
    data_check=dict(type='DataCheckHook'),
    image_report=dict(type='ImageReportHook'),
)
default_hooks = dict(logger=dict(interval=16), checkpoint=dict(interval=max_epochs))
