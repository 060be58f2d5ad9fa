"""MAE, ViT-B, 800 epochs on ImageNet-1K: the baseline of Tables 1, 6, 7 and 9, mmpretrain's
own MAE with the data, the schedule and the runtime of BootMAE.

    tools/dist_train.sh configs/pretrain/mae/mae_vitb_800e.py 8

Expect     83.4 % top-1 fine-tuned, linear probe 64.4 %, ADE20K 47.6 mIoU, COCO 46.8 / 41.9 AP
Cost       0.473 s for 256 images on one A100 (Table 5), so
           1,281,167 / 256 × 0.473 s × 800 epochs = 526 A100 hours
Input      normalised by ImageNet's mean and deviation, as MAE has it
Masks      random; the model draws them itself
"""

_base_ = [
    '../../_base_/models/mae_vitb.py',
    '../../_base_/datasets/imagenet_pretrain.py',
    '../../_base_/schedules/pretrain_800e.py',
    '../../_base_/runtime.py',
]

# Load, crop and flip, pack: no masks.
load, crop, _, _ = _base_.train_pipeline
train_dataloader = dict(dataset=dict(pipeline=[load, crop, dict(type='PackInputs')]))
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(eta_min=0.0)
# Not those that look at BootMAE's parts.
custom_hooks = dict(teacher=None, feature_weight=None, health=None, pictures=None)
