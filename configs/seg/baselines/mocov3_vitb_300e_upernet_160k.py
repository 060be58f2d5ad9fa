"""Table 7a: UperNet on ADE20K from MoCo v3.

    tools/dist_train.sh configs/seg/baselines/mocov3_vitb_300e_upernet_160k.py 8

Expect     47.3 mIoU
Input      normalised by ImageNet's mean and deviation, as in its pretraining
Start      put the pretrained weights there yourself: they are not ours
"""

_base_ = ['../upernet_bootmae_vitb_160k.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(init_cfg=dict(checkpoint='checkpoints/mocov3_vitb_300e.pth')),
)
