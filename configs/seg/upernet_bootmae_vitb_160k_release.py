"""UperNet, ViT-B, 160k iterations on ADE20K: the form of the authors' release.

    tools/dist_train.sh configs/seg/upernet_bootmae_vitb_160k_release.py 8

It adds to upernet_bootmae_vitb_160k.py what the paper's text does not name: relative position bias
per block (starting at zero), layer scale (starting at 1), a position embedding that starts as the
pretrained one resized to 32 × 32 and is trained, and weight decay on class token, position
embedding and tables of relative positions.

Expect     49.1 mIoU, single scale (Table 7a). The release's log: 49.12 mIoU, 60.0 mAcc, 83.75 aAcc;
           with --tta 50.0, 60.68, 84.12
"""

_base_ = ['upernet_bootmae_vitb_160k.py']

model = dict(
    backbone=dict(
        img_size=512,
        relative_position_bias=True,
        layer_scale_init_value=1.0,
        train_pos_embed=True,
    )
)
optim_wrapper = dict(paramwise_cfg=dict(decay_embeddings=True))
