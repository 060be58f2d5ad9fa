"""Table 1's last row, taken literally: MAE and beside it bootstrapped features. ViT-B, 300 epochs.

    tools/dist_train.sh configs/pretrain/mae/mae_vitb_300e_bootstrapped.py 8

MAE's decoder of 8 blocks for the pixels, normalised jointly; BootMAE's predictor without context
and its momentum encoder for the features; random masks, every masked patch of the same weight.
The paper does not say of what the row is made; another reading of it is
ablations/bootmae_vitb_300e_context_none_none.py.

Expect     83.6 % top-1 fine-tuned
Cost       the paper has no time of it; more than BootMAE's 275 A100 hours by the longer decoder
"""

_base_ = [
    '../../_base_/models/mae_form_vitb.py',
    '../../_base_/datasets/imagenet_pretrain.py',
    '../../_base_/schedules/pretrain_800e.py',
    '../../_base_/runtime.py',
]

max_epochs = 300

model = dict(
    regressor=_base_.decoder,
    pixel_head=dict(type='PixelHead', norm='patch'),
    predictor=dict(type='TargetAwareDecoder', depth=2, context_layer=None),
    feature_head=dict(type='FeatureHead'),
    teacher=dict(type='MomentumTeacher'),
)
train_pipeline = _base_.train_pipeline
train_pipeline[2] = dict(type='RandomMasking', grid=14, num_masked=147)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs, eta_min=0.0)
