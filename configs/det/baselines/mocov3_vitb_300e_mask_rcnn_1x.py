"""Table 7b: Mask R-CNN on COCO from MoCo v3.

    tools/dist_train.sh configs/det/baselines/mocov3_vitb_300e_mask_rcnn_1x.py 8

Expect     44.9 box AP, 40.4 mask AP
Input      normalised by ImageNet's mean and deviation, as in its pretraining
Start      put the pretrained weights there yourself: they are not ours
"""

_base_ = ['../mask_rcnn_bootmae_vitb_1x.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(init_cfg=dict(checkpoint='checkpoints/mocov3_vitb_300e.pth')),
)
