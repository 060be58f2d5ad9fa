"""Table 4a: fine-tuning of bootmae_vitb_300e_depth_4.

    tools/dist_train.sh configs/finetune/ablations/bootmae_vitb_300e_depth_4_finetune_100e.py 8

Expect     83.9 % top-1
"""

_base_ = ['../bootmae_vitb_finetune_100e.py']

model = dict(
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/bootmae_vitb_300e_depth_4/epoch_300.pth')),
)
