"""Fine-tuning of a BootMAE ViT-B on ImageNet-1K, 100 epochs.

    tools/dist_train.sh configs/finetune/bootmae_vitb_finetune_100e.py 8 \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/bootmae_vitb_800e/epoch_800.pth
    tools/dist_test.sh configs/finetune/bootmae_vitb_finetune_100e.py CHECKPOINT 8

Data       data/imagenet/{train,val}/<class>/<name>.JPEG, see _base_/datasets/imagenet_finetune.py
Batch      2048 = 256 per GPU × 8 GPUs; with fewer GPUs gradients are accumulated
Expect     84.2 % top-1 after 800 epochs of pretraining, 84.0 after 300 (Table 6), 83.7 after 200
           (Fig. 3)
Evaluated  the averaged weights (EMA), after every epoch; a checkpoint's state_dict holds them
Model      the encoder without final norm; average of the patch tokens, LayerNorm, linear layer
Baseline   from scratch: --cfg-options model.backbone.init_cfg=None
Own data   {train,val,test}_dataloader.dataset.data_root=…, the number of classes in
           model.head.num_classes and model.data_preprocessor.num_classes; with fewer than five
           classes {val,test}_evaluator.topk=1
"""

_base_ = [
    '../_base_/datasets/imagenet_finetune.py',
    '../_base_/schedules/finetune_100e.py',
    '../_base_/runtime.py',
]

model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(num_classes=1000, mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True),
    backbone=dict(
        type='BootMAEViT',
        arch='base',
        img_size=224,
        patch_size=16,
        drop_path_rate=0.1,
        final_norm=False,
        out_type='avg_featmap',
        init_cfg=dict(
            type='PretrainedEncoder', checkpoint='work_dirs/bootmae_vitb_800e/epoch_800.pth'
        ),
    ),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=768,
        # Of labels that mixing has made soft already: the same as smoothing before mixing.
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02 * 0.001),
    ),
    # One of the two for every batch, each with probability 0.5.
    train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)]),
)
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1', rule='greater'))
# Drop path, mixup and cutmix are drawn on the ranks, so each needs a seed of its own.
randomness = dict(seed=0, diff_rank_seed=True)
