"""Linear probe of other ViT-Bs on ImageNet-1K: MAE, MoCo v3, DINO.

    tools/dist_train.sh configs/linear/baselines/mae_vitb_linear_90e.py 8 \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/mae_vitb_800e/epoch_800.pth

Expect     64.4 % top-1 after 800 epochs of MAE, 68.0 after 1600; MoCo v3 76.7, DINO 78.2 (Table 6)
Input      normalised by ImageNet's mean and deviation, as in the pretraining of all of these
Block      the last; the choice of block 10 is BootMAE's
Start      MoCo v3 and DINO are not ours: put their weights into checkpoints/ yourself
"""

_base_ = ['../bootmae_vitb_linear_90e.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(
        out_indices=[11],
        init_cfg=dict(checkpoint='work_dirs/mae_vitb_800e/epoch_800.pth'),
    ),
)
