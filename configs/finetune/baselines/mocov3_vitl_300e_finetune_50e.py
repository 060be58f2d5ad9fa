"""Table 6: fine-tuning of MoCo v3, ViT-L.

    tools/dist_train.sh configs/finetune/baselines/mocov3_vitl_300e_finetune_50e.py 8

Expect     84.1 % top-1
Input      normalised by ImageNet's mean and deviation, as in its pretraining
Start      put the pretrained weights there yourself: they are not ours; the paper quotes the
           number, of another recipe of fine-tuning
"""

_base_ = ['../bootmae_vitl_finetune_50e.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(init_cfg=dict(checkpoint='checkpoints/mocov3_vitl_300e.pth')),
)
