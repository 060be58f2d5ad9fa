"""Table 6: linear probe of an MAE ViT-L of 1600 epochs.

    tools/dist_train.sh configs/linear/baselines/mae_vitl_1600e_linear_50e.py 8

Expect     76.6 % top-1
Input      normalised by ImageNet's mean and deviation, as in its pretraining
Block      the last; the choice of block 18 is BootMAE's
"""

_base_ = ['../bootmae_vitl_linear_50e.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(
        out_indices=[23],
        init_cfg=dict(checkpoint='work_dirs/mae_vitl_1600e/epoch_1600.pth'),
    ),
)
