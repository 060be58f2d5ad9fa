"""MAE, ViT-B, 300 epochs on ImageNet-1K, mmpretrain's own.

    tools/dist_train.sh configs/pretrain/mae/mae_vitb_300e.py 8

Expect     83.2 % top-1 fine-tuned (Tables 1, 3, 5 and 9)
Cost       0.473 s for 256 images on one A100 (Table 5), so
           1,281,167 / 256 × 0.473 s × 300 epochs = 197 A100 hours
"""

_base_ = ['mae_vitb_800e.py']

max_epochs = 300
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs)
