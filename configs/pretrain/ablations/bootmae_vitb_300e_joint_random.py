"""Beyond the paper: random masks, and pixels normalised jointly over the channels of a
patch, as the paper words it and MAE does. BootMAE, ViT-B, 300 epochs.

    tools/dist_train.sh configs/pretrain/ablations/bootmae_vitb_300e_joint_random.py 8

Expect     the paper has no number for it; see docs/reduced_study.md
Cost       as bootmae_vitb_300e.py
"""

_base_ = ['bootmae_vitb_300e_random.py']

model = dict(pixel_head=dict(norm='patch'))
