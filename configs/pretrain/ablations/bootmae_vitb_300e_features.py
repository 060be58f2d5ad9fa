"""Beyond the paper: BootMAE without the pixel target, so bootstrapped features alone. ViT-B, 300
epochs.

    tools/dist_train.sh configs/pretrain/ablations/bootmae_vitb_300e_features.py 8

Expect     the paper has no number for it; see docs/reduced_study.md
Cost       less than bootmae_vitb_300e.py: no regressor
"""

_base_ = ['../bootmae_vitb_300e.py']

model = dict(regressor=None, pixel_head=None)
