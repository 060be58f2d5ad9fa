"""Table 8: the regressor is handed block 6, the predictor the last block. ViT-B, 300 epochs.

    tools/dist_train.sh configs/pretrain/ablations/bootmae_vitb_300e_context_middle_high.py 8

Expect     83.7 % top-1 fine-tuned
Cost       275 A100 hours, as bootmae_vitb_300e.py
"""

_base_ = ['../bootmae_vitb_300e.py']

model = dict(regressor=dict(context_layer=5))
