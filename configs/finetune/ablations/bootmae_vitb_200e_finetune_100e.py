"""Fine-tuning of a BootMAE ViT-B of 200 epochs.

    tools/dist_train.sh configs/finetune/ablations/bootmae_vitb_200e_finetune_100e.py 8

Expect     83.7 % top-1 (Fig. 3)
"""

_base_ = ['../bootmae_vitb_finetune_100e.py']

model = dict(backbone=dict(init_cfg=dict(checkpoint='work_dirs/bootmae_vitb_200e/epoch_200.pth')))
