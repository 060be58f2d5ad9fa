"""Table 7b: Mask R-CNN on COCO from a supervised ViT-B.

    tools/dist_train.sh configs/det/baselines/supervised_vitb_300e_mask_rcnn_1x.py 8

Expect     44.1 box AP, 39.8 mask AP
Input      normalised by ImageNet's mean and deviation, as in its pretraining
Start      put the pretrained weights there yourself: they are not ours
"""

_base_ = ['../mask_rcnn_bootmae_vitb_1x.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(init_cfg=dict(checkpoint='checkpoints/supervised_vitb_300e.pth')),
)
