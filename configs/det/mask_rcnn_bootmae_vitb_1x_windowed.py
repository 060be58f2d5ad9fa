"""Mask R-CNN, ViT-B, 1× on COCO, for less time: attention in windows of 14 × 14 patches,
global in 4 evenly spaced blocks (as in ViTDet, arXiv 2203.16527). The weights are the same.

    tools/dist_train.sh configs/det/mask_rcnn_bootmae_vitb_1x_windowed.py 8

Memory     docs/dense_memory.md
Expect     not in the paper, whose attention is global as far as it says
"""

_base_ = ['mask_rcnn_bootmae_vitb_1x.py']

# Blocks 3, 6, 9, 12: what follows each window has seen the whole image.
model = dict(backbone=dict(window_size=14, global_blocks=[2, 5, 8, 11]))
