"""Linear probe of a BootMAE ViT-B of 300 epochs.

    tools/dist_train.sh configs/linear/ablations/bootmae_vitb_300e_linear_90e.py 8

Expect     64.1 % top-1 (Table 6)
"""

_base_ = ['../bootmae_vitb_linear_90e.py']

model = dict(backbone=dict(init_cfg=dict(checkpoint='work_dirs/bootmae_vitb_300e/epoch_300.pth')))
