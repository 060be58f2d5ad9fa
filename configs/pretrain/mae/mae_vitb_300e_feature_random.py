"""Table 3: the features of an MAE of 800 epochs as the target, random masks. MAE's form, ViT-B,
300 epochs.

    tools/dist_train.sh configs/pretrain/mae/mae_vitb_300e_feature_random.py 8

Expect     83.1 % top-1 fine-tuned
Cost       as mae_vitb_300e_feature_block.py
"""

_base_ = ['mae_vitb_300e_feature_block.py']

train_pipeline = _base_.train_pipeline
train_pipeline[2] = dict(type='RandomMasking', grid=14, num_masked=147)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
