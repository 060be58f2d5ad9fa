"""Linear probe of block 10 of a BootMAE ViT-B on ImageNet-1K, 90 epochs.

    tools/dist_train.sh configs/linear/bootmae_vitb_linear_90e.py 8 \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/bootmae_vitb_800e/epoch_800.pth
    tools/dist_test.sh configs/linear/bootmae_vitb_linear_90e.py CHECKPOINT 8

Data       data/imagenet/{train,val}/<class>/<name>.JPEG, see _base_/datasets/imagenet_finetune.py
Batch      16384 = 1024 per GPU × 8 GPUs × 2 accumulated; BatchNorm sees the 1024 of one GPU
Expect     66.1 % top-1 after 800 epochs of pretraining, 64.1 after 300 (Table 6)
Model      the encoder stays as it is; average of the patch tokens, LayerNorm at its initial values,
           BatchNorm without affine, linear layer
Block      another one, counted from 0: --cfg-options model.backbone.out_indices=[7] is block 8;
           all of them in one run: bootmae_vitb_linear_90e_depth_sweep.py
"""

_base_ = [
    '../_base_/datasets/imagenet_linear.py',
    '../_base_/schedules/linear_90e.py',
    '../_base_/runtime.py',
]

model = dict(
    type='LinearProbe',
    data_preprocessor=dict(num_classes=1000, mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True),
    backbone=dict(
        type='BootMAEViT',
        arch='base',
        img_size=224,
        patch_size=16,
        final_norm=False,
        out_type='avg_featmap',
        out_indices=[9],
        init_cfg=dict(
            type='PretrainedEncoder', checkpoint='work_dirs/bootmae_vitb_800e/epoch_800.pth'
        ),
    ),
    neck=dict(type='ClsBatchNormNeck', input_features=768),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=768,
        loss=dict(type='CrossEntropyLoss'),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.01),
    ),
)
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1', rule='greater'))
