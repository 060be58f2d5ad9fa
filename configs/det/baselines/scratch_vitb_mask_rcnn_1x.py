"""Mask R-CNN on COCO from scratch: what pretraining is worth. The paper has no such row.

    tools/dist_train.sh configs/det/baselines/scratch_vitb_mask_rcnn_1x.py 8

Expect     no number of the paper
"""

_base_ = ['../mask_rcnn_bootmae_vitb_1x.py']

model = dict(backbone=dict(init_cfg=None))
