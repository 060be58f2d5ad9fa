"""Beyond the paper: fine-tuning of bootmae_vitb_300e_joint.

    tools/dist_train.sh configs/finetune/ablations/bootmae_vitb_300e_joint_finetune_100e.py 8

Expect     the paper has no number for it; see docs/reduced_study.md
"""

_base_ = ['../bootmae_vitb_finetune_100e.py']

model = dict(
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/bootmae_vitb_300e_joint/epoch_300.pth')),
)
