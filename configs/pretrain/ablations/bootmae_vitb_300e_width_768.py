"""Table 4b: a regressor of width 768. ViT-B, 300 epochs.

    tools/dist_train.sh configs/pretrain/ablations/bootmae_vitb_300e_width_768.py 8

Expect     84.0 % top-1 fine-tuned
Cost       the paper has none; more than the 275 A100 hours of width 512
"""

_base_ = ['../bootmae_vitb_300e.py']

model = dict(regressor=dict(embed_dims=768))
