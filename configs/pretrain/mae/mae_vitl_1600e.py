"""MAE, ViT-L, 1600 epochs on ImageNet-1K, mmpretrain's own.

    tools/dist_train.sh configs/pretrain/mae/mae_vitl_1600e.py 8

Expect     85.9 % top-1 fine-tuned, linear probe 76.6 % (Table 6)
Cost       the paper has none for ViT-L
"""

_base_ = ['mae_vitl_800e.py']

max_epochs = 1600
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs)
