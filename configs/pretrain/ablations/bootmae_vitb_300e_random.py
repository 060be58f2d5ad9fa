"""Beyond the paper: random masks. BootMAE, ViT-B, 300 epochs.

    tools/dist_train.sh configs/pretrain/ablations/bootmae_vitb_300e_random.py 8

Expect     the paper has no number for it; see docs/reduced_study.md
Cost       as bootmae_vitb_300e.py
"""

_base_ = ['../bootmae_vitb_300e.py']

train_pipeline = _base_.train_pipeline
train_pipeline[2] = dict(type='RandomMasking', grid=14, num_masked=147)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
