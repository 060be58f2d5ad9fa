"""Table 6: linear probe of an MAE ViT-B of 800 epochs.

    tools/dist_train.sh configs/linear/baselines/mae_vitb_800e_linear_90e.py 8

Expect     64.4 % top-1
Input      normalised by ImageNet's mean and deviation, as in its pretraining
Block      the last; the choice of block 10 is BootMAE's
"""

_base_ = ['../bootmae_vitb_linear_90e.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(
        out_indices=[11],
        init_cfg=dict(checkpoint='work_dirs/mae_vitb_800e/epoch_800.pth'),
    ),
)
