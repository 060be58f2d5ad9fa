"""Table 6: linear probe of MoCo v3, ViT-B.

    tools/dist_train.sh configs/linear/baselines/mocov3_vitb_300e_linear_90e.py 8

Expect     76.7 % top-1
Input      normalised by ImageNet's mean and deviation, as in its pretraining
Block      the last; the choice of block 10 is BootMAE's
Start      put the pretrained weights there yourself: they are not ours
"""

_base_ = ['../bootmae_vitb_linear_90e.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(
        out_indices=[11],
        init_cfg=dict(checkpoint='checkpoints/mocov3_vitb_300e.pth'),
    ),
)
