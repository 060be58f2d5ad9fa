"""UperNet on ADE20K from other ViT-Bs: MAE, MoCo v3, supervised. Plain, as the paper describes it.

    tools/dist_train.sh configs/seg/baselines/mae_vitb_upernet_160k.py 8 \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/mae_vitb_800e/epoch_800.pth

Expect     the paper's numbers were measured in the form of mae_vitb_upernet_160k_release.py
Input      normalised by ImageNet's mean and deviation, as in the pretraining of all of these
Start      MoCo v3 and the supervised one are not ours: put their weights into checkpoints/ yourself
"""

_base_ = ['../upernet_bootmae_vitb_160k.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/mae_vitb_800e/epoch_800.pth')),
)
