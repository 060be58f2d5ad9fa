"""MAE, ViT-B, 1600 epochs on ImageNet-1K, mmpretrain's own.

    tools/dist_train.sh configs/pretrain/mae/mae_vitb_1600e.py 8

Expect     83.6 % top-1 fine-tuned, linear probe 68.0 %, ADE20K 48.1 mIoU, COCO 47.2 / 42.0 AP
Cost       0.473 s for 256 images on one A100 (Table 5), so
           1,281,167 / 256 × 0.473 s × 1600 epochs = 1052 A100 hours
"""

_base_ = ['mae_vitb_800e.py']

max_epochs = 1600
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs)
