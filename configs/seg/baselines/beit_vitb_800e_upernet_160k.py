"""Table 7a: UperNet on ADE20K from BEiT.

    tools/dist_train.sh configs/seg/baselines/beit_vitb_800e_upernet_160k.py 8

Expect     47.1 mIoU
Form       BEiT's own: relative positions, layer scale, no position embedding; weight decay as in
           upernet_bootmae_vitb_160k_release.py, whose code is BEiT's
Input      normalised by 127.5, as in its pretraining
Start      put the pretrained weights there yourself: they are not ours
"""

_base_ = ['../upernet_bootmae_vitb_160k.py']

model = dict(
    backbone=dict(
        relative_position_bias=True,
        layer_scale_init_value=0.1,
        init_cfg=dict(checkpoint='checkpoints/beit_vitb_800e.pth'),
    ),
)
optim_wrapper = dict(paramwise_cfg=dict(decay_embeddings=True))
