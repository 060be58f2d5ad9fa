"""Linear probes of all blocks of a BootMAE ViT-B in one run, on one pass of the encoder.

    tools/dist_train.sh configs/linear/bootmae_vitb_linear_90e_depth_sweep.py 8 \\
        --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/bootmae_vitb_800e/epoch_800.pth

Each block's probe ends as if trained alone with bootmae_vitb_linear_90e.py: nothing is shared but
the frozen encoder, and LARS scales every tensor by itself. Metrics are accuracy/block_10/top1 and
so on; every evaluation logs a table of them.

Data       as bootmae_vitb_linear_90e.py, and so is the batch
Expect     block 10: 66.1 % top-1 after 800 epochs of pretraining (Table 6)
Blocks     others: model.head.blocks, counted from 1, and model.backbone.out_indices, from 0
"""

_base_ = ['bootmae_vitb_linear_90e.py']

blocks = list(range(1, 13))

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
default_hooks = dict(checkpoint=dict(save_best=None))  # there is no one best
