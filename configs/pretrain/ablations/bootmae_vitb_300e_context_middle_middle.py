"""Table 8: the regressor is handed block 6, the predictor block 6. ViT-B, 300 epochs.

    tools/dist_train.sh configs/pretrain/ablations/bootmae_vitb_300e_context_middle_middle.py 8

Expect     83.6 % top-1 fine-tuned
Cost       275 A100 hours, as bootmae_vitb_300e.py
"""

_base_ = ['../bootmae_vitb_300e.py']

model = dict(
    regressor=dict(context_layer=5),
    predictor=dict(context_layer=5),
)
