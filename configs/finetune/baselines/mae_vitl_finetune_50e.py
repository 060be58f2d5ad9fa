"""Fine-tuning of other ViT-Ls on ImageNet-1K: MAE, MoCo v3.

    tools/dist_train.sh configs/finetune/baselines/mae_vitl_finetune_50e.py 8 \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/mae_vitl_800e/epoch_800.pth

Expect     85.4 % top-1 after 800 epochs of MAE, 85.9 after 1600; MoCo v3 84.1 (Table 6)
Input      normalised by ImageNet's mean and deviation, as in the pretraining of both
Start      MoCo v3 is not ours: put its weights into checkpoints/ yourself; the paper quotes the
           numbers, of other recipes of fine-tuning
"""

_base_ = ['../bootmae_vitl_finetune_50e.py']

model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/mae_vitl_800e/epoch_800.pth')),
)
