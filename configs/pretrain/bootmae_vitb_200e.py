"""BootMAE, ViT-B, 200 epochs on ImageNet-1K.

    tools/dist_train.sh configs/pretrain/bootmae_vitb_200e.py 8

Expect     fine-tuned 83.7 % top-1 (Fig. 3), more than MAE after 800 epochs (83.4 %)
Cost       200 / 800 × 734 A100 hours = 184 (see bootmae_vitb_800e.py)
"""

_base_ = ['bootmae_vitb_800e.py']

max_epochs = 200
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs)
