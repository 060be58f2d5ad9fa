"""Mask R-CNN on COCO from other ViT-Bs: MAE, MoCo v3, supervised.

    tools/dist_train.sh configs/det/baselines/mae_vitb_mask_rcnn_1x.py 8 \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/mae_vitb_800e/epoch_800.pth

Expect     46.8 box AP, 41.9 mask AP after 800 epochs of MAE, 47.2 and 42.0 after 1600; MoCo v3 44.9
           and 40.4, supervised 44.1 and 39.8 (Table 7b)
Input      normalised by ImageNet's mean and deviation, as in the pretraining of all of these
Start      MoCo v3 and the supervised one are not ours: put their weights into checkpoints/ yourself
"""

_base_ = ['../mask_rcnn_bootmae_vitb_1x.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/mae_vitb_800e/epoch_800.pth')),
)
