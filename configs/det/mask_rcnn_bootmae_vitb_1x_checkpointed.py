"""Mask R-CNN, ViT-B, 1× on COCO, for less memory: the encoder's blocks are computed again in the
backward pass instead of being kept. Same gradients, about a third more time for the encoder.

    tools/dist_train.sh configs/det/mask_rcnn_bootmae_vitb_1x_checkpointed.py 8

Memory     docs/dense_memory.md
Expect     as mask_rcnn_bootmae_vitb_1x.py: 48.5 box AP, 43.4 mask AP
"""

_base_ = ['mask_rcnn_bootmae_vitb_1x.py']

custom_hooks = dict(block_checkpoint=dict(type='BlockCheckpointHook'))
