"""ImageNet-1K with labels, for probing: crops of 8 to 100 % of the area and flips, nothing else.
Folders as in imagenet_finetune.py. A crop is drawn once, and cut where the picture ends (authors'
release, which has it from MAE)."""

_base_ = ['imagenet_finetune.py']

train_pipeline = [
    dict(type='LoadAnyImage'),
    dict(type='RandomCropFlip', scale=224, crop_ratio_range=(0.08, 1.0), redraw=False),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=1024, dataset=dict(pipeline=train_pipeline))
