"""Table 4a: regressor and predictor of 1 block. ViT-B, 300 epochs.

    tools/dist_train.sh configs/pretrain/ablations/bootmae_vitb_300e_depth_1.py 8

Expect     83.4 % top-1 fine-tuned
Cost       the paper has none; less than the 275 A100 hours of 2 blocks
"""

_base_ = ['../bootmae_vitb_300e.py']

model = dict(regressor=dict(depth=1), predictor=dict(depth=1))
