"""Faster R-CNN, ViT-B, 1× schedule on COCO, for boxes without masks: annotations need no
segmentation.

    tools/dist_train.sh configs/det/faster_rcnn_bootmae_vitb_1x.py 8

Expect     no number of the paper
"""

_base_ = ['mask_rcnn_bootmae_vitb_1x.py']

model = dict(
    type='FasterRCNN',
    data_preprocessor=dict(pad_mask=False),
    roi_head=dict(mask_roi_extractor=None, mask_head=None),
)
train_pipeline = _base_.train_pipeline
train_pipeline[1].update(with_mask=False)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_evaluator = dict(metric='bbox')
test_evaluator = val_evaluator
