"""Table 2: neither regressor nor predictor is handed context. ViT-B, 300 epochs.

    tools/dist_train.sh configs/pretrain/ablations/bootmae_vitb_300e_context_none_none.py 8

Expect     83.6 % top-1 fine-tuned
Cost       275 A100 hours, as bootmae_vitb_300e.py
Also       the last row of Table 1, MAE with bootstrapped feature prediction: there, too, nothing is
           injected. Decoders have 2 blocks here, where MAE has 8
"""

_base_ = ['../bootmae_vitb_300e.py']

model = dict(
    regressor=dict(context_layer=None),
    predictor=dict(context_layer=None),
)
