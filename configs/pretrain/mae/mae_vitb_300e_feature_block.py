"""Tables 3 and 9: the features of an MAE of 800 epochs as the target, block-wise masks. MAE's
form, ViT-B, 300 epochs.

    tools/dist_train.sh configs/pretrain/mae/mae_vitb_800e.py 8
    tools/dist_train.sh configs/pretrain/mae/mae_vitb_300e_feature_block.py 8

Expect     83.6 % top-1 fine-tuned
Cost       more than MAE's 197 A100 hours by the frozen teacher's pass, whose time the paper lacks
"""

_base_ = [
    '../../_base_/models/mae_form_vitb.py',
    '../../_base_/datasets/imagenet_pretrain.py',
    '../../_base_/schedules/pretrain_800e.py',
    '../../_base_/runtime.py',
]

max_epochs = 300
model = dict(
    predictor=_base_.decoder,
    feature_head=dict(type='FeatureHead'),
    teacher=dict(type='FrozenTeacher', checkpoint='work_dirs/mae_vitb_800e/epoch_800.pth'),
)
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs, eta_min=0.0)
# The teacher is frozen, and its loss is the only one.
custom_hooks = dict(teacher=None, feature_weight=None)
