"""Linear probes of every second block of a BootMAE ViT-L in one run, on one pass of the encoder.

    tools/dist_train.sh configs/linear/bootmae_vitl_linear_50e_depth_sweep.py 8 \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/bootmae_vitl_800e/epoch_800.pth

Everything as in bootmae_vitb_linear_90e_depth_sweep.py.

Expect     block 18: 77.1 % top-1 after 800 epochs of pretraining (Table 6)
"""

_base_ = ['bootmae_vitl_linear_50e.py']

blocks = list(range(2, 25, 2))

model = dict(
    backbone=dict(out_indices=[block - 1 for block in blocks]),
    neck=None,
    head=dict(
        _delete_=True,
        type='DepthSweepHead',
        blocks=blocks,
        neck=_base_.model.neck,
        head=_base_.model.head,
    ),
)
val_evaluator = dict(_delete_=True, type='DepthSweepAccuracy', topk=(1, 5))
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best=None))
