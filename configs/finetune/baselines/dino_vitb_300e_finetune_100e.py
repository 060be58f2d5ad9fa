"""Table 6: fine-tuning of DINO, ViT-B.

    tools/dist_train.sh configs/finetune/baselines/dino_vitb_300e_finetune_100e.py 8

Expect     82.8 % top-1
Input      normalised by ImageNet's mean and deviation, as in its pretraining
Start      put the pretrained weights there yourself: they are not ours; the paper quotes the
           number, of another recipe of fine-tuning
"""

_base_ = ['../bootmae_vitb_finetune_100e.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(init_cfg=dict(checkpoint='checkpoints/dino_vitb_300e.pth')),
)
