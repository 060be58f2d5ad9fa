"""BootMAE, ViT-B, 400 epochs on ImageNet-1K: between the lengths that the paper has.

    tools/dist_train.sh configs/pretrain/bootmae_vitb_400e.py 8

Expect     no number of the paper; 84.0 % after 300 epochs, 84.2 after 800
Cost       400 / 800 × 734 A100 hours = 367 (see bootmae_vitb_800e.py)
"""

_base_ = ['bootmae_vitb_800e.py']

max_epochs = 400
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs)
