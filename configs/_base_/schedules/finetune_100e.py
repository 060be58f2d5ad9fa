"""Fine-tuning schedule: AdamW with layer-wise decay, linear warm-up, one cosine, weight EMA.

Learning rates are absolute, at the total batch stated. Every depth has its own learning rate, and
warm-up and cosine scale with it: a depth of rate s · lr starts at 0 and ends at s · 1e-6, as in the
release.
"""

max_epochs = 100
warmup_epochs = 20
lr = 5e-3
floor = 1e-6 / lr

optim_wrapper = dict(
    type='AutocastOptimWrapper',
    dtype='bfloat16',  # 'float16' scales the loss; 'float32' is exact
    constructor='LayerDecayConstructor',
    paramwise_cfg=dict(layer_decay_rate=0.6),
    optimizer=dict(type='AdamW', lr=lr, betas=(0.9, 0.999), weight_decay=0.05, fused=True),
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
        eta_min_ratio=floor,
        begin=warmup_epochs,
        end=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
custom_hooks = dict(
    total_batch=dict(type='TotalBatchHook', total_batch_size=2048),
    # mmengine's momentum is what the average takes of the new weights: it keeps 0.9998.
    ema=dict(type='OptimizerStepEMAHook', momentum=1 - 0.9998),
    data_check=dict(type='DataCheckHook'),
    image_report=dict(type='ImageReportHook'),  # unreadable images: skipped, counted, limited
)
# For configs that count the hooks of their base: custom_hooks[0].update(…)
custom_hooks.update({number: {} for number in range(len(custom_hooks))})
