"""Table 4b: fine-tuning of bootmae_vitb_300e_width_256.

    tools/dist_train.sh configs/finetune/ablations/bootmae_vitb_300e_width_256_finetune_100e.py 8

Expect     83.8 % top-1
"""

_base_ = ['../bootmae_vitb_finetune_100e.py']

model = dict(
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/bootmae_vitb_300e_width_256/epoch_300.pth')),
)
