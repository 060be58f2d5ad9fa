"""UperNet on ADE20K from scratch, in the form of the release. The paper has no such row.

    tools/dist_train.sh configs/seg/baselines/scratch_vitb_upernet_160k_release.py 8

Expect     no number of the paper
"""

_base_ = ['../upernet_bootmae_vitb_160k_release.py']

model = dict(backbone=dict(init_cfg=None))
