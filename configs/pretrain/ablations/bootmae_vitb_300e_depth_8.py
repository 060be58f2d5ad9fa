"""Table 4a: regressor and predictor of 8 blocks. ViT-B, 300 epochs.

    tools/dist_train.sh configs/pretrain/ablations/bootmae_vitb_300e_depth_8.py 8

Expect     84.0 % top-1 fine-tuned
Cost       the paper has none; more than the 275 A100 hours of 2 blocks
"""

_base_ = ['../bootmae_vitb_300e.py']

model = dict(regressor=dict(depth=8), predictor=dict(depth=8))
