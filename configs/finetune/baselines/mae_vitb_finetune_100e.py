"""Fine-tuning of other ViT-Bs on ImageNet-1K: MAE, its variants, MoCo v3, DINO.

    tools/dist_train.sh configs/finetune/baselines/mae_vitb_finetune_100e.py 8 \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/mae_vitb_800e/epoch_800.pth

Expect     83.4 % top-1 after 800 epochs of MAE, 83.6 after 1600, 83.2 after 300; MoCo v3 83.2,
           DINO 82.8 (Table 6); the variants of MAE: Tables 3 and 9
Input      normalised by ImageNet's mean and deviation, as in the pretraining of all of these
Start      the variants: configs/pretrain/mae. MoCo v3 and DINO are not ours: put their weights into
           checkpoints/ yourself; the paper quotes the numbers, of other recipes of fine-tuning
"""

_base_ = ['../bootmae_vitb_finetune_100e.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/mae_vitb_800e/epoch_800.pth')),
)
