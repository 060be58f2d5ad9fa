"""ImageNet-1K with labels, augmented for fine-tuning.

    data/imagenet/train/<class>/<name>.JPEG     data/imagenet/val/<class>/<name>.JPEG

(or both flat, with lists ``meta/train.txt`` and ``meta/val.txt`` of lines "<image> <label>").
Classes of your own: the same folders, their place in ``dataset=dict(data_root=…)``, and their
number in the model, twice.

The release augments with timm; here are mmpretrain's names for the same. Colours are those of the
image as loaded (BGR, 0 to 255): 127.5 is the mean, padding is its round, 128. Two things differ:
the operations are OpenCV's instead of Pillow's, and erased areas are filled with noise before the
image is normalised, so it is clipped to 0 … 255, one deviation.
"""

train_pipeline = [
    dict(type='LoadAnyImage'),
    dict(type='RandomResizedCrop', scale=224, backend='pillow', interpolation='bicubic'),
    dict(type='RandomFlip', prob=0.5),
    dict(  # timm's rand-m9-mstd0.5-inc1
        type='RandAugment',
        policies='timm_increasing',
        num_policies=2,
        total_level=10,
        magnitude_level=9,
        magnitude_std=0.5,
        hparams=dict(pad_val=[128] * 3, interpolation='bicubic'),
    ),
    dict(  # noise of the pixels' own mean and deviation
        type='RandomErasing',
        erase_prob=0.25,
        mode='rand',
        min_area_ratio=0.02,
        max_area_ratio=1 / 3,
        fill_color=[127.5] * 3,
        fill_std=[127.5] * 3,
    ),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadAnyImage'),
    dict(type='ResizeEdge', scale=256, edge='short', backend='pillow', interpolation='bicubic'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=256,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ImageFolders', data_root='data/imagenet', split='train', pipeline=train_pipeline
    ),
)
val_dataloader = dict(
    batch_size=256,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ImageFolders', data_root='data/imagenet', split='val', pipeline=test_pipeline
    ),
)
val_evaluator = dict(type='Accuracy', topk=(1, 5))
val_cfg = dict()
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict()
