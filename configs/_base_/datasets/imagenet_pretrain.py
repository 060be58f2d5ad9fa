"""ImageNet-1K without labels, or any folder of images: set ``train_dataloader.dataset.data_root``.

    data/imagenet/train/<class>/<name>.JPEG        (or data/mine/**/*.jpg)

1,281,167 images // 4096 = 312 optimiser steps an epoch.
"""

total_batch_size = 4096
train_pipeline = [
    dict(type='LoadAnyImage'),
    dict(type='RandomCropFlip', scale=224, crop_ratio_range=(0.2, 1.0)),
    # 75 % of 196 = 147 masked: blocks of 16 to 60 patches up to 120, the rest at random.
    dict(type='BlockwiseMasking', grid=14, num_masked=147, num_blocked=120, block_size=(16, 60)),
    dict(type='PackInputs', algorithm_keys=('ids_visible', 'ids_masked')),
]
train_dataloader = dict(
    batch_size=256,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='EpochSampler', total_batch_size=total_batch_size),
    dataset=dict(type='UnlabelledImages', data_root='data/imagenet/train', pipeline=train_pipeline),
)
