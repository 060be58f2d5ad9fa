"""BootMAE for few pictures and short runs: 50,000 photographs of 64 pixels, 8 × 8 = 64 patches.

    tools/dist_train.sh configs/photos/photos_pretrain.py 2

Data       data/photos/imagenet/train, such as the first 100 classes of Tiny ImageNet
Model      half the paper's depth (6 blocks for 12, decoders of 1 for 2), an eighth of its width
Recipe     input normalised by ImageNet's mean and deviation, worth most; target pixels over the
           whole patch and random masks, which are better up to some 5,000 steps and level with
           the paper's after these 12,496 (docs/reduced_study.md)
Schedule   50,000 // 32 = 1,562 steps an epoch, 8 epochs = 12,496 steps for the paper's 800 epochs
           of 312. So everything is in shares of the run: warm-up a 20th (40 of 800 epochs), the
           feature loss ramped over a quarter; but the teacher's memory is a tenth of the paper's
           share, 0.0004, 0.004, 0.04 of the run, as a slower one falls behind in so few steps
Own data   --cfg-options train_dataloader.dataset.data_root=/folder/of/images
"""

_base_ = ['../pretrain/bootmae_vitb_800e.py']

total_batch_size = 32
max_epochs = 8
warmup_epochs = max_epochs / 20
lr = 1.4e-3

arch = dict(embed_dims=96, num_layers=6, num_heads=3, feedforward_channels=4 * 96)
model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(arch=dict(_delete_=True, **arch), img_size=64, patch_size=8),
    regressor=dict(embed_dims=512 * 96 // 768, depth=1, num_heads=4),
    predictor=dict(depth=1, num_heads=4),
    pixel_head=dict(norm='patch'),
)
train_pipeline = _base_.train_pipeline
train_pipeline[1].update(scale=64)
train_pipeline[2] = dict(type='RandomMasking', grid=8, num_masked=48)  # 75 % of 64
train_dataloader = dict(
    batch_size=total_batch_size,
    num_workers=0,
    persistent_workers=False,
    pin_memory=False,
    sampler=dict(total_batch_size=total_batch_size),
    dataset=dict(data_root='data/photos/imagenet/train', pipeline=train_pipeline),
)
optim_wrapper = dict(dtype='float32', optimizer=dict(lr=lr))
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(end=warmup_epochs)
param_scheduler[1].update(begin=warmup_epochs, end=max_epochs, eta_min=lr / 24)  # as the paper's
train_cfg = dict(max_epochs=max_epochs)
custom_hooks = dict(
    total_batch=dict(total_batch_size=total_batch_size),
    teacher=dict(milestones=None, memory=[(0, 0.0004), (1 / 8, 0.004), (1 / 2, 0.04)]),
    feature_weight=dict(by_epoch=False),
)
