"""Mask R-CNN, ViT-B, 1× schedule (12 epochs) on COCO, single scale.

    tools/dist_train.sh configs/det/mask_rcnn_bootmae_vitb_1x.py 8
    tools/dist_test.sh configs/det/mask_rcnn_bootmae_vitb_1x.py CHECKPOINT 8

Paper      Bootstrapped Masked Autoencoders for Vision BERT Pretraining, ECCV 2022, appendix C
Code       the authors released none for detection; docs/detection_choices.md lists what the paper
           leaves open and what was chosen here
Data       data/coco/{train2017,val2017} and data/coco/annotations/instances_{train,val}2017.json
Batch      16 = 2 per GPU × 8 GPUs × 1 accumulated; fewer GPUs accumulate by themselves
Start      --cfg-options model.backbone.init_cfg.checkpoint=PATH   another pretrained encoder
           --cfg-options model.backbone.init_cfg=None              from scratch
Expect     48.5 box AP, 43.4 mask AP (Table 7b)
Memory     docs/dense_memory.md; the files next to this one ending in checkpointed and windowed
           need less
"""

_base_ = [
    '../_base_/models/mask_rcnn_bootmae_vitb.py',
    '../_base_/datasets/coco_instance.py',
    '../_base_/schedules/coco_1x.py',
    '../_base_/runtime.py',
]

default_scope = 'mmdet'
env_cfg = dict(cudnn_benchmark=False)  # images differ in size
visualizer = dict(type='DetLocalVisualizer')
# Drop path, dropout and the samples of losses are drawn on the ranks: each needs its own seed.
randomness = dict(seed=0, diff_rank_seed=True)
