"""Beyond the paper: random masks, and pixels normalised jointly over the channels of a
patch, as the paper words it and MAE does. BootMAE, ViT-B, 1600 epochs.

    tools/dist_train.sh configs/pretrain/ablations/bootmae_vitb_1600e_joint_random.py 8

Expect     the paper has no number for it; see docs/reduced_study.md
Cost       as bootmae_vitb_1600e.py
"""

_base_ = ['bootmae_vitb_800e_joint_random.py']

max_epochs = 1600
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs)
