"""The photographs on one GPU: deeper, wider, in larger batches.

    python tools/reproduce.py run length --budget card --data FOLDER --jobs 4

Model      ViT-S: width 384, and the paper's depth, 12 blocks and decoders of 2
Schedule   50,000 // 128 = 390 steps an epoch; 20 epochs = 7,800 steps for the paper's 800 epochs.
           So small a model leaves most of a GPU idle: run several at a time
"""

_base_ = ['photos_pretrain.py']

total_batch_size = 128
max_epochs = 20
warmup_epochs = max_epochs / 20
lr = 1e-3

arch = dict(embed_dims=384, num_layers=12, num_heads=6, feedforward_channels=4 * 384)
model = dict(
    backbone=dict(arch=dict(_delete_=True, **arch)),
    regressor=dict(embed_dims=512 * 384 // 768, depth=2),
    predictor=dict(depth=2),
)
train_dataloader = dict(
    batch_size=total_batch_size,
    num_workers=3,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(total_batch_size=total_batch_size),
)
optim_wrapper = dict(dtype='bfloat16', optimizer=dict(lr=lr))
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(end=warmup_epochs)
param_scheduler[1].update(begin=warmup_epochs, end=max_epochs, eta_min=lr / 24)
train_cfg = dict(max_epochs=max_epochs)
custom_hooks = dict(total_batch=dict(total_batch_size=total_batch_size))
