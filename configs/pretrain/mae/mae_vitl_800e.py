"""MAE, ViT-L, 800 epochs on ImageNet-1K, mmpretrain's own.

    tools/dist_train.sh configs/pretrain/mae/mae_vitl_800e.py 8

Expect     85.4 % top-1 fine-tuned, linear probe 73.9 % (Table 6)
Cost       the paper has none for ViT-L
"""

_base_ = ['mae_vitb_800e.py']

model = dict(backbone=dict(arch='l'), neck=dict(embed_dim=1024))
