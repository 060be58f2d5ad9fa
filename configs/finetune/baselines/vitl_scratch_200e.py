"""Table 6: ViT-L, trained on ImageNet-1K with labels from scratch, 200 epochs.

    tools/dist_train.sh configs/finetune/baselines/vitl_scratch_200e.py 8

Recipe     as vitb_scratch_300e.py, with 200 epochs and drop path 0.2 (same appendix)
Expect     82.6 % top-1, the row "ViT [30]", quoted from there
"""

_base_ = ['vitb_scratch_300e.py']

max_epochs = 200

model = dict(backbone=dict(arch='large', drop_path_rate=0.2), head=dict(in_channels=1024))
train_dataloader = dict(batch_size=128)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs)
train_cfg = dict(max_epochs=max_epochs)
