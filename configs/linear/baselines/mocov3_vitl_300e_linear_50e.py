"""Table 6: linear probe of MoCo v3, ViT-L.

    tools/dist_train.sh configs/linear/baselines/mocov3_vitl_300e_linear_50e.py 8

Expect     77.6 % top-1
Input      normalised by ImageNet's mean and deviation, as in its pretraining
Block      the last; the choice of block 18 is BootMAE's
Start      put the pretrained weights there yourself: they are not ours
"""

_base_ = ['../bootmae_vitl_linear_50e.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(
        out_indices=[23],
        init_cfg=dict(checkpoint='checkpoints/mocov3_vitl_300e.pth'),
    ),
)
