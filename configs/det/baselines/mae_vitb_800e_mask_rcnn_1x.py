"""Table 7b: Mask R-CNN on COCO from an MAE of 800 epochs.

    tools/dist_train.sh configs/det/baselines/mae_vitb_800e_mask_rcnn_1x.py 8

Expect     46.8 box AP, 41.9 mask AP
Input      normalised by ImageNet's mean and deviation, as in its pretraining
"""

_base_ = ['../mask_rcnn_bootmae_vitb_1x.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/mae_vitb_800e/epoch_800.pth')),
)
