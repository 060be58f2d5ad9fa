"""Beyond the paper: fine-tuning of mae_vitb_300e_pixel_random.

    tools/dist_train.sh configs/finetune/baselines/mae_vitb_300e_pixel_random_finetune_100e.py 8

Expect     the paper has no number for it; see docs/reduced_study.md
Input      normalised by ImageNet's mean and deviation, as in its pretraining
"""

_base_ = ['../bootmae_vitb_finetune_100e.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/mae_vitb_300e_pixel_random/epoch_300.pth')),
)
