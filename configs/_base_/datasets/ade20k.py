"""ADE20K, 150 classes: 20,210 training and 2,000 validation pictures.

    data/ade/ADEChallengeData2016/images/{training,validation}/<name>.jpg
    data/ade/ADEChallengeData2016/annotations/{training,validation}/<name>.png

Annotations are 8-bit images, 0 for no label and 1 to 150 for the classes; the dataset turns these
into 255 (ignored) and 0 to 149.
"""

data_root = 'data/ade/ADEChallengeData2016'
scale = (2048, 512)  # short side 512, long side at most 2048
check_labels = dict(type='CheckSegLabels')  # against the number of the data set's classes

train_pipeline = [
    dict(type='LoadAnyImage'),
    dict(type='LoadLabelMap'),
    check_labels,
    dict(type='RandomResize', scale=scale, ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(512, 512), cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
# Annotations are loaded after all resizing and flipping: scores are compared at full size.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='LoadLabelMap'),
    check_labels,
    dict(type='PackSegInputs'),
]
# Multi-scale and flip, as in the authors' release: ratios of the short side of 512, but none below
# 512 (so that three of the six are 512), and no limit of the long one.
ratios = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='ResizeShortestEdge', scale=max(512, int(512 * r)), max_size=10**6)
                for r in ratios
            ],
            [dict(type='RandomFlip', prob=float(flip)) for flip in (False, True)],
            [dict(type='LoadLabelMap')],
            [check_labels],
            [dict(type='PackSegInputs')],
        ],
    ),
]

loader = dict(num_workers=4, persistent_workers=True)
dataset = dict(type='ADE20K', data_root=data_root)
train_dataloader = dict(
    **loader,
    batch_size=2,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        **dataset,
        data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    **loader,
    batch_size=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **dataset,
        test_mode=True,
        data_prefix=dict(img_path='images/validation', seg_map_path='annotations/validation'),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
