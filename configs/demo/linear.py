"""Linear probe on 800 labelled pictures of shapes: the encoder stays as it is, its average-pooled
patch features go through a BatchNorm without affine into a linear layer.

    python tools/train.py configs/demo/linear.py \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/demo/pretrain/epoch_11.pth \\
                      model.backbone.init_cfg.type=PretrainedEncoder
"""

_base_ = ['finetune.py']

max_epochs = 8
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs)

model = dict(
    backbone=dict(frozen_stages=4),
    neck=dict(type='ClsBatchNormNeck', input_features=96),
    head=dict(loss=dict(_delete_=True, type='CrossEntropyLoss')),
)
train_dataloader = dict(
    batch_size=100,
    dataset=dict(
        pipeline=[
            dict(type='LoadAnyImage'),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ]
    ),
)
optim_wrapper = dict(optimizer=dict(lr=2e-2, weight_decay=0.0))
