"""Table 3: pixels as the target, block-wise masks. MAE's form, ViT-B, 300 epochs.

    tools/dist_train.sh configs/pretrain/mae/mae_vitb_300e_pixel_block.py 8

Expect     82.8 % top-1 fine-tuned; random masks are mae_vitb_300e.py, 83.2
Cost       0.473 s for 256 images on one A100 (Table 5), so
           1,281,167 / 256 × 0.473 s × 300 epochs = 197 A100 hours
"""

_base_ = [
    '../../_base_/models/mae_form_vitb.py',
    '../../_base_/datasets/imagenet_pretrain.py',
    '../../_base_/schedules/pretrain_800e.py',
    '../../_base_/runtime.py',
]

max_epochs = 300
model = dict(regressor=_base_.decoder, pixel_head=dict(type='PixelHead', norm='patch'))
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs, eta_min=0.0)
# Neither a teacher nor a weight of its loss.
custom_hooks = dict(teacher=None, feature_weight=None)
