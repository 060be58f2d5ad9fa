"""BootMAE, ViT-B, 300 epochs on ImageNet-1K: the setting of the paper's ablations.

    tools/dist_train.sh configs/pretrain/bootmae_vitb_300e.py 8

Expect     fine-tuned 84.0 % top-1, linear probe 64.1 % (Table 6)
Cost       300 / 800 × 734 A100 hours = 275 (see bootmae_vitb_800e.py)
"""

_base_ = ['bootmae_vitb_800e.py']

max_epochs = 300
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs)
