"""Table 7a: UperNet on ADE20K from an MAE of 800 epochs.

    tools/dist_train.sh configs/seg/baselines/mae_vitb_800e_upernet_160k.py 8

Expect     47.6 mIoU
Input      normalised by ImageNet's mean and deviation, as in its pretraining
"""

_base_ = ['../upernet_bootmae_vitb_160k.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/mae_vitb_800e/epoch_800.pth')),
)
