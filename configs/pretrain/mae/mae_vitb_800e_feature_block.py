"""Table 9: the features of an MAE of 800 epochs as the target, block-wise masks. MAE's form,
ViT-B, 800 epochs.

    tools/dist_train.sh configs/pretrain/mae/mae_vitb_800e_feature_block.py 8

Expect     83.8 % top-1 fine-tuned
Cost       800 / 300 of mae_vitb_300e_feature_block.py
"""

_base_ = ['mae_vitb_300e_feature_block.py']

max_epochs = 800
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs)
