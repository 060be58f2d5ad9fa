"""Linear probe of block 18 of a BootMAE ViT-L on ImageNet-1K, 50 epochs.

    tools/dist_train.sh configs/linear/bootmae_vitl_linear_50e.py 8 \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/bootmae_vitl_800e/epoch_800.pth

Data       as bootmae_vitb_linear_90e.py, and so are batch, testing and the choice of the block
Expect     77.1 % top-1 after 800 epochs of pretraining, 74.8 after 300 (Table 6)
"""

_base_ = ['bootmae_vitb_linear_90e.py']

max_epochs = 50

model = dict(
    backbone=dict(
        arch='large',
        out_indices=[17],
        init_cfg=dict(checkpoint='work_dirs/bootmae_vitl_800e/epoch_800.pth'),
    ),
    neck=dict(input_features=1024),
    head=dict(in_channels=1024),
)
optim_wrapper = dict(optimizer=dict(lr=0.07 * 16384 / 256))  # = 4.48
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs)
train_cfg = dict(max_epochs=max_epochs)
