"""Linear probe of a BootMAE ViT-L of 300 epochs.

    tools/dist_train.sh configs/linear/ablations/bootmae_vitl_300e_linear_50e.py 8

Expect     74.8 % top-1 (Table 6)
"""

_base_ = ['../bootmae_vitl_linear_50e.py']

model = dict(backbone=dict(init_cfg=dict(checkpoint='work_dirs/bootmae_vitl_300e/epoch_300.pth')))
