"""UperNet, ViT-L, 160k iterations on ADE20K: our settings, untested at full length.

    tools/dist_train.sh configs/seg/upernet_bootmae_vitl_160k.py 8

Expect     no number of the paper, which segments with ViT-B alone
Blocks     8, 12, 16, 24 of 24, the same thirds as blocks 4, 6, 8, 12 of 12
Decay      0.65^(13 / 25) = 0.80 per block, so that the patch embedding learns as slowly as ViT-B's
Rate       4e-4 × 0.6 = 2.4e-4: in the paper's fine-tuning, ViT-L's rate per image
           (1.5e-3 / 1024) is 0.6 of ViT-B's (5e-3 / 2048)
Heads      UPerHead as wide as the encoder, as with ViT-B
"""

_base_ = ['upernet_bootmae_vitb_160k.py']

model = dict(
    backbone=dict(
        arch='large',
        out_indices=[7, 11, 15, 23],
        init_cfg=dict(checkpoint='work_dirs/bootmae_vitl_800e/epoch_800.pth'),
    ),
    neck=dict(embed_dims=1024),
    decode_head=dict(in_channels=[1024] * 4, channels=1024),
    auxiliary_head=dict(in_channels=1024),
)
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.80), optimizer=dict(lr=4e-4 * 0.6))
