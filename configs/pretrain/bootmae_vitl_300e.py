"""BootMAE, ViT-L, 300 epochs on ImageNet-1K.

    tools/dist_train.sh configs/pretrain/bootmae_vitl_300e.py 8

Expect     fine-tuned 85.4 % top-1, linear probe 74.8 % (Table 6)
Cost       300 / 800 of bootmae_vitl_800e.py
"""

_base_ = ['bootmae_vitl_800e.py']

max_epochs = 300
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs)
