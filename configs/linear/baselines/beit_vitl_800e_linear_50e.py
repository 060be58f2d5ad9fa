"""Table 6: linear probe of BEiT, ViT-L.

    tools/dist_train.sh configs/linear/baselines/beit_vitl_800e_linear_50e.py 8

Expect     73.5 % top-1
Input      normalised by 127.5, as in its pretraining; relative positions only, so the encoder gets
           a relative position bias and layer scale
Block      the last; the choice of block 18 is BootMAE's
Start      put the pretrained weights there yourself: they are not ours
"""

_base_ = ['../bootmae_vitl_linear_50e.py']

model = dict(
    backbone=dict(
        relative_position_bias=True,
        layer_scale_init_value=0.1,
        out_indices=[23],
        init_cfg=dict(checkpoint='checkpoints/beit_vitl_800e.pth'),
    ),
)
