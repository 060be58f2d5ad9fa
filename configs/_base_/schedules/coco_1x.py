"""The 1× schedule at batch 16: 12 epochs, × 0.1 after 8 and 11, AdamW, layer-wise decay 0.75."""

max_epochs = 12

optim_wrapper = dict(
    type='FeatureAutocastOptimWrapper',
    dtype='bfloat16',  # of backbone and neck; the heads compute boxes in float32
    constructor='LayerDecayConstructor',
    paramwise_cfg=dict(layer_decay_rate=0.75),
    optimizer=dict(type='AdamW', lr=4e-4, betas=(0.9, 0.999), weight_decay=0.05, fused=True),
)
param_scheduler = [
    # mmdet's usual 500 steps, in short runs a tenth of the run
    dict(type='WarmUpLR', start_factor=1e-3, steps=500, by_epoch=True, convert_to_iter_based=True),
    dict(
        type='MultiStepLR',
        begin=0,
        end=max_epochs,
        milestones=[max_epochs * 2 // 3, max_epochs * 11 // 12],
        gamma=0.1,
        by_epoch=True,
    ),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
custom_hooks = dict(
    total_batch=dict(type='TotalBatchHook', total_batch_size=16),
    data_check=dict(type='DataCheckHook'),
    image_report=dict(type='ImageReportHook'),  # unreadable images: skipped, counted, limited
)
# For configs that count the hooks of their base: custom_hooks[0].update(…)
custom_hooks.update({number: {} for number in range(len(custom_hooks))})
