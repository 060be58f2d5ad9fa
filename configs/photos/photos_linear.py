"""The frozen encoder on the photographs, in closed form: a linear classifier of every block from 1,
10 and 100 % of the labels, and nearest neighbours. No learning rate, one pass, two minutes.

    python tools/train.py configs/photos/photos_linear.py \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/photos_pretrain/epoch_8.pth \\
                      model.backbone.init_cfg.type=PretrainedEncoder

Data       data/photos/imagenet/{train,val}/<class>: 50,000 and 5,000 pictures
Features   the average of the patch tokens after a block; the paper probes block 10 of 12, which
           is block 5 of 6
"""

_base_ = ['photos_finetune.py']

blocks = list(range(1, 7))

model = dict(
    type='ClosedFormProbe',
    backbone=dict(out_indices=[block - 1 for block in blocks], drop_path_rate=0.0),
    head=dict(
        _delete_=True,
        type='ClosedFormHead',
        blocks=blocks,
        num_classes=_base_.num_classes,
        shares=(0.01, 0.1, 1.0),
    ),
)
train_dataloader = dict(
    batch_size=250,
    sampler=dict(shuffle=False),
    dataset=dict(every=1, pipeline=_base_.val_dataloader.dataset.pipeline),
)
val_evaluator = dict(_delete_=True, type='DepthSweepAccuracy', topk=(1,))
test_evaluator = val_evaluator
optim_wrapper = dict(  # mmengine wants one; it is never asked for a step
    _delete_=True, type='OptimWrapper', optimizer=dict(type='SGD', lr=1.0)
)
param_scheduler = None
train_cfg = dict(max_epochs=1, val_interval=1)
default_hooks = dict(checkpoint=None)
