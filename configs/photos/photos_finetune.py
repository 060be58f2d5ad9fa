"""Fine-tuning on a tenth of the labels of the photographs, from scratch or a pretrained encoder.

    python tools/train.py configs/photos/photos_finetune.py \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/photos_pretrain/epoch_8.pth \\
                      model.backbone.init_cfg.type=PretrainedEncoder

Data       data/photos/imagenet/{train,val}/<class>; every tenth picture of train: 5,000
Schedule   5,000 // 50 = 100 steps an epoch, 12 epochs
Classes    others: model.head.num_classes and model.data_preprocessor.num_classes
"""

_base_ = ['../demo/finetune.py']

max_epochs = 12
num_classes = 100
data_root = 'data/photos/imagenet'

arch = dict(embed_dims=96, num_layers=6, num_heads=3, feedforward_channels=4 * 96)
model = dict(
    data_preprocessor=dict(num_classes=num_classes),
    backbone=dict(arch=dict(_delete_=True, **arch), img_size=64, patch_size=8, drop_path_rate=0.1),
    head=dict(num_classes=num_classes),
)
train_dataloader = dict(
    batch_size=50,
    dataset=dict(
        data_root=data_root,
        ann_file='',
        every=10,
        pipeline=[
            dict(type='LoadAnyImage'),
            dict(type='RandomCropFlip', scale=64, crop_ratio_range=(0.2, 1.0)),
            dict(type='PackInputs'),
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        pipeline=[
            dict(type='LoadAnyImage'),
            dict(type='ResizeEdge', scale=64, edge='short', backend='pillow'),
            dict(type='CenterCrop', crop_size=64),
            dict(type='PackInputs'),
        ],
    )
)
test_dataloader = val_dataloader
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
default_hooks = dict(checkpoint=dict(interval=max_epochs))
