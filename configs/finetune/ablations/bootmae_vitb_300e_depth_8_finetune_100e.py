"""Table 4a: fine-tuning of bootmae_vitb_300e_depth_8.

    tools/dist_train.sh configs/finetune/ablations/bootmae_vitb_300e_depth_8_finetune_100e.py 8

Expect     84.0 % top-1
"""

_base_ = ['../bootmae_vitb_finetune_100e.py']

model = dict(
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/bootmae_vitb_300e_depth_8/epoch_300.pth')),
)
