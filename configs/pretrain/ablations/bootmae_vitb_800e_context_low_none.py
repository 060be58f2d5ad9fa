"""Beyond the paper: Table 2's middle row for longer. The regressor is handed the first block, the
predictor no context. ViT-B, 800 epochs.

    tools/dist_train.sh configs/pretrain/ablations/bootmae_vitb_800e_context_low_none.py 8

Expect     the paper has no number for it; see docs/reduced_study.md
Cost       as bootmae_vitb_800e.py
"""

_base_ = ['../bootmae_vitb_800e.py']

model = dict(predictor=dict(context_layer=None))
