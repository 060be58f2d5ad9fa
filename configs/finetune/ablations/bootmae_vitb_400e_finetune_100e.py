"""Fine-tuning of a BootMAE ViT-B of 400 epochs.

    tools/dist_train.sh configs/finetune/ablations/bootmae_vitb_400e_finetune_100e.py 8

Expect     the text states no number for this point of Fig. 3
"""

_base_ = ['../bootmae_vitb_finetune_100e.py']

model = dict(backbone=dict(init_cfg=dict(checkpoint='work_dirs/bootmae_vitb_400e/epoch_400.pth')))
