"""Fine-tuning of a BootMAE ViT-L of 300 epochs.

    tools/dist_train.sh configs/finetune/ablations/bootmae_vitl_300e_finetune_50e.py 8

Expect     85.4 % top-1 (Table 6)
"""

_base_ = ['../bootmae_vitl_finetune_50e.py']

model = dict(backbone=dict(init_cfg=dict(checkpoint='work_dirs/bootmae_vitl_300e/epoch_300.pth')))
