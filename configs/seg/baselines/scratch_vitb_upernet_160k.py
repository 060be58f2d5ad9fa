"""UperNet on ADE20K from scratch: what pretraining is worth. The paper has no such row.

    tools/dist_train.sh configs/seg/baselines/scratch_vitb_upernet_160k.py 8

Expect     no number of the paper
"""

_base_ = ['../upernet_bootmae_vitb_160k.py']

model = dict(backbone=dict(init_cfg=None))
