"""Pretraining schedule of the paper: 800 epochs, AdamW, linear warm-up and one cosine."""

max_epochs = 800
warmup_epochs = 40

optim_wrapper = dict(
    type='AutocastOptimWrapper',
    dtype='bfloat16',  # 'float16' scales the loss; 'float32' is exact
    constructor='WeightDecayConstructor',
    optimizer=dict(
        type='AdamW',
        lr=1.5e-4 * 4096 / 256,  # = 2.4e-3
        betas=(0.9, 0.95),
        weight_decay=0.05,
        fused=True,  # one pass over the parameters
    ),
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
        eta_min=1e-4,
        begin=warmup_epochs,
        end=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type='ResumableTrainLoop', max_epochs=max_epochs)
# A config based on this one overrides a hook by its name, or leaves it out: dict(health=None).
custom_hooks = dict(
    total_batch=dict(type='TotalBatchHook', total_batch_size=4096),
    # The share of itself that the teacher keeps: linear between these (epoch, decay) pairs.
    teacher=dict(
        type='MomentumTeacherHook', milestones=[(0, 0.999), (100, 0.9999), (400, 0.99999)]
    ),
    # λ from 0 to 1 over a quarter of the run.
    feature_weight=dict(type='FeatureWeightHook', weight=1.0, ramp=0.25),
    grad_norm=dict(type='GradNormHook'),
    image_report=dict(type='ImageReportHook'),
    data_wait=dict(type='DataWaitHook'),  # warns when training waits for data
    health=dict(type='HealthHook'),  # warns of a run that goes wrong, and stops it if that lasts
    pictures=dict(type='PicturesHook', interval=50),  # reconstructions and features, in vis_data
)
# For configs that count the hooks of their base: custom_hooks[0].update(…)
custom_hooks.update({number: {} for number in range(len(custom_hooks))})
