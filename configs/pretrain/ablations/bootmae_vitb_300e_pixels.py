"""Beyond the paper: BootMAE without the feature target, so pixels under block-wise masks. ViT-B,
300 epochs.

    tools/dist_train.sh configs/pretrain/ablations/bootmae_vitb_300e_pixels.py 8

Expect     the paper has no number for it; see docs/reduced_study.md
Cost       less than bootmae_vitb_300e.py: neither predictor nor teacher
"""

_base_ = ['../bootmae_vitb_300e.py']

model = dict(predictor=None, feature_head=None, teacher=None)
# Neither a teacher nor a weight of its loss.
custom_hooks = dict(teacher=None, feature_weight=None)
