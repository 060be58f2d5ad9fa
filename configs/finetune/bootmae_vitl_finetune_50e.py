"""Fine-tuning of a BootMAE ViT-L on ImageNet-1K, 50 epochs.

    tools/dist_train.sh configs/finetune/bootmae_vitl_finetune_50e.py 8 \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/bootmae_vitl_800e/epoch_800.pth

Data       as bootmae_vitb_finetune_100e.py, and so are testing, baseline and own data
Batch      1024 = 128 per GPU × 8 GPUs; with fewer GPUs gradients are accumulated
Expect     85.9 % top-1 after 800 epochs of pretraining, 85.4 after 300 (Table 6)
"""

_base_ = ['bootmae_vitb_finetune_100e.py']

max_epochs = 50
warmup_epochs = 5
lr = 1.5e-3
floor = 1e-6 / lr

model = dict(
    backbone=dict(
        arch='large', init_cfg=dict(checkpoint='work_dirs/bootmae_vitl_800e/epoch_800.pth')
    ),
    head=dict(in_channels=1024),
)
train_dataloader = dict(batch_size=128)
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.75), optimizer=dict(lr=lr))
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(end=warmup_epochs)
param_scheduler[1].update(eta_min_ratio=floor, begin=warmup_epochs, end=max_epochs)
train_cfg = dict(max_epochs=max_epochs)
custom_hooks = dict(total_batch=dict(total_batch_size=1024))
