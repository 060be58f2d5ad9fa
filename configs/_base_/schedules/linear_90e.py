"""Linear probing schedule: LARS without weight decay, linear warm-up, one cosine to 0.

As in MAE's linear probing, momentum is 0.9 and the bias, being 1-D, has plain SGD's step. LARS is
mmpretrain's: rate × step goes into the momentum. In the release the step goes into it, and weights
move by rate × momentum: the same while the rate stays.
"""

max_epochs = 90
warmup_epochs = 10

optim_wrapper = dict(
    type='AutocastOptimWrapper',
    dtype='bfloat16',  # 'float16' scales the loss; 'float32' is exact
    paramwise_cfg=dict(custom_keys=dict(bias=dict(lars_exclude=True))),
    optimizer=dict(type='LARS', lr=0.1 * 16384 / 256, momentum=0.9, weight_decay=0.0),  # lr = 6.4
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6,
        begin=0,
        end=warmup_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0,
        begin=warmup_epochs,
        end=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
custom_hooks = dict(
    total_batch=dict(type='TotalBatchHook', total_batch_size=16384),
    # One BatchNorm for all processes before it is evaluated.
    sync_buffers=dict(type='SyncBuffersHook'),
    data_check=dict(type='DataCheckHook'),
    image_report=dict(type='ImageReportHook'),  # unreadable images: skipped, counted, limited
)
# For configs that count the hooks of their base: custom_hooks[0].update(…)
custom_hooks.update({number: {} for number in range(len(custom_hooks))})
