"""Fine-tuning of a BootMAE ViT-B of 300 epochs.

    tools/dist_train.sh configs/finetune/ablations/bootmae_vitb_300e_finetune_100e.py 8

Expect     84.0 % top-1 (Tables 2, 4, 5, 6 and 8)
"""

_base_ = ['../bootmae_vitb_finetune_100e.py']

model = dict(backbone=dict(init_cfg=dict(checkpoint='work_dirs/bootmae_vitb_300e/epoch_300.pth')))
