"""ImageNet-1K with labels, for probing: crops of 8 to 100 % of the area and flips, nothing else.
Folders as in imagenet_finetune.py."""

_base_ = ['imagenet_finetune.py']

train_pipeline = [
    dict(type='LoadAnyImage'),
    dict(
        type='RandomResizedCrop',
        scale=224,
        crop_ratio_range=(0.08, 1.0),
        backend='pillow',
        interpolation='bicubic',
    ),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=512, dataset=dict(pipeline=train_pipeline))
