"""Table 8: the regressor is handed the last block, the predictor the last block. ViT-B, 300
epochs.

    tools/dist_train.sh configs/pretrain/ablations/bootmae_vitb_300e_context_high_high.py 8

Expect     83.4 % top-1 fine-tuned
Cost       275 A100 hours, as bootmae_vitb_300e.py
"""

_base_ = ['../bootmae_vitb_300e.py']

model = dict(regressor=dict(context_layer=-1))
