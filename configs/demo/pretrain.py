"""BootMAE on some thousand pictures of 32 pixels, 8 × 8 = 64 patches of 4 pixels, in minutes.

    python tools/demo.py --draw                         (once; or any folder as data_root)
    tools/dist_train.sh configs/demo/pretrain.py 2

Model      width 96, 4 blocks, 3 heads; decoders of one block
Recipe     input, target pixels and masks as in configs/photos/photos_pretrain.py, not as in the
           paper (docs/reduced_study.md)
Schedule   8192 pictures // 128 = 64 steps an epoch, 704 in all, where the paper has 312 × 800. In
           so few steps the teacher must move faster (0.99 to 0.999), and its features say
           little at first, so that their weight grows over the whole run
"""

_base_ = ['../pretrain/bootmae_vitb_800e.py']

total_batch_size = 128
max_epochs = 11
warmup_epochs = 1

arch = dict(embed_dims=96, num_layers=4, num_heads=3, feedforward_channels=4 * 96)
model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(arch=dict(_delete_=True, **arch), img_size=32, patch_size=4),
    regressor=dict(embed_dims=64, depth=1),
    predictor=dict(depth=1),
    pixel_head=dict(norm='patch'),
)
train_pipeline = _base_.train_pipeline
train_pipeline[1].update(scale=32, crop_ratio_range=(0.3, 1.0))
train_pipeline[2] = dict(type='RandomMasking', grid=8, num_masked=48)  # 75 % of 64
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    persistent_workers=False,
    pin_memory=False,
    sampler=dict(total_batch_size=total_batch_size),
    dataset=dict(data_root='data/shapes/train', pipeline=train_pipeline),
)
optim_wrapper = dict(dtype='float32', optimizer=dict(lr=2e-3))
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(end=warmup_epochs)
param_scheduler[1].update(begin=warmup_epochs, end=max_epochs, eta_min=4e-5)
train_cfg = dict(max_epochs=max_epochs)
custom_hooks = dict(
    total_batch=dict(total_batch_size=total_batch_size),
    teacher=dict(milestones=[(0, 0.99), (max_epochs / 2, 0.999)]),
    feature_weight=dict(ramp=1.0),
)
default_hooks = dict(logger=dict(interval=16))
log_processor = dict(window_size=16)
