"""UperNet on ADE20K from other ViT-Bs: MAE, MoCo v3, supervised. In the form of the release.

    tools/dist_train.sh configs/seg/baselines/mae_vitb_upernet_160k_release.py 8 \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/mae_vitb_800e/epoch_800.pth

Expect     47.6 mIoU after 800 epochs of MAE, 48.1 after 1600; MoCo v3 47.3, supervised 47.4
           (Table 7a, quoted from MAE's paper, which turned relative position bias on, too)
Input      normalised by ImageNet's mean and deviation, as in the pretraining of all of these
Start      MoCo v3 and the supervised one are not ours: put their weights into checkpoints/ yourself
"""

_base_ = ['../upernet_bootmae_vitb_160k_release.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/mae_vitb_800e/epoch_800.pth')),
)
