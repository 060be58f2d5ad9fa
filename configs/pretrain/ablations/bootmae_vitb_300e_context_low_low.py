"""Table 8: the regressor is handed the first block, the predictor the first block. ViT-B, 300
epochs.

    tools/dist_train.sh configs/pretrain/ablations/bootmae_vitb_300e_context_low_low.py 8

Expect     83.8 % top-1 fine-tuned
Cost       275 A100 hours, as bootmae_vitb_300e.py
"""

_base_ = ['../bootmae_vitb_300e.py']

model = dict(predictor=dict(context_layer=0))
