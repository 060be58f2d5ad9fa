"""Table 9: fine-tuning of mae_vitb_800e_feature_block.

    tools/dist_train.sh configs/finetune/baselines/mae_vitb_800e_feature_block_finetune_100e.py 8

Expect     83.8 % top-1
Input      normalised by ImageNet's mean and deviation, as in its pretraining
"""

_base_ = ['../bootmae_vitb_finetune_100e.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/mae_vitb_800e_feature_block/epoch_800.pth')),
)
