"""Table 6: fine-tuning of an MAE ViT-L of 1600 epochs.

    tools/dist_train.sh configs/finetune/baselines/mae_vitl_1600e_finetune_50e.py 8

Expect     85.9 % top-1
Input      normalised by ImageNet's mean and deviation, as in its pretraining
"""

_base_ = ['../bootmae_vitl_finetune_50e.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/mae_vitl_1600e/epoch_1600.pth')),
)
