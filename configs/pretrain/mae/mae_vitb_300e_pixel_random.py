"""Beyond the paper: pixels as the target, random masks, in MAE's form. ViT-B, 300 epochs.

The model of mae_vitb_300e.py in BootMAE's parts, which differ in one thing: visible patches get no
position embedding in the decoder.

    tools/dist_train.sh configs/pretrain/mae/mae_vitb_300e_pixel_random.py 8

Expect     the paper has no number for it; see docs/reduced_study.md
Cost       as mae_vitb_300e_pixel_block.py
"""

_base_ = ['mae_vitb_300e_pixel_block.py']

train_pipeline = _base_.train_pipeline
train_pipeline[2] = dict(type='RandomMasking', grid=14, num_masked=147)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
