"""Beyond the paper: random masks, and pixels normalised jointly over the channels of a
patch, as the paper words it and MAE does. BootMAE, ViT-B, 800 epochs.

    tools/dist_train.sh configs/pretrain/ablations/bootmae_vitb_800e_joint_random.py 8

Expect     the paper has no number for it; see docs/reduced_study.md
Cost       as bootmae_vitb_800e.py
"""

_base_ = ['../bootmae_vitb_800e.py']

model = dict(pixel_head=dict(norm='patch'))
train_pipeline = _base_.train_pipeline
train_pipeline[2] = dict(type='RandomMasking', grid=14, num_masked=147)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
