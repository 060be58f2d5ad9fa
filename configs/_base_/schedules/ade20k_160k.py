"""160,000 iterations at batch 16: AdamW, warm-up, linear decay to 0, layer-wise decay 0.65."""

max_iters = 160_000
warmup_iters = 1500
interval = 16_000  # iterations from one validation and checkpoint to the next

optim_wrapper = dict(
    type='AutocastOptimWrapper',
    dtype='bfloat16',  # 'float16' scales the loss; 'float32' is exact
    constructor='LayerDecayConstructor',
    paramwise_cfg=dict(layer_decay_rate=0.65),
    optimizer=dict(type='AdamW', lr=4e-4, betas=(0.9, 0.999), weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=3),  # authors' release; the paper names none
)
# The warm-up multiplies a decay that begins with it (authors' release).
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=warmup_iters, by_epoch=False),
    dict(type='PolyLR', power=1.0, eta_min=0.0, begin=0, end=max_iters, by_epoch=False),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=interval)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
custom_hooks = dict(
    total_batch=dict(type='TotalBatchHook', total_batch_size=16),
    data_check=dict(type='DataCheckHook'),
    image_report=dict(type='ImageReportHook'),
)
# For configs that count the hooks of their base: custom_hooks[0].update(…)
custom_hooks.update({number: {} for number in range(len(custom_hooks))})
