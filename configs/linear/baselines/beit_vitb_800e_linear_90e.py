"""Table 6: linear probe of BEiT, ViT-B.

    tools/dist_train.sh configs/linear/baselines/beit_vitb_800e_linear_90e.py 8

Expect     56.7 % top-1
Input      normalised by 127.5, as in its pretraining; relative positions only, so the encoder gets
           a relative position bias and layer scale
Block      the last; the choice of block 10 is BootMAE's
Start      put the pretrained weights there yourself: they are not ours
"""

_base_ = ['../bootmae_vitb_linear_90e.py']

model = dict(
    backbone=dict(
        relative_position_bias=True,
        layer_scale_init_value=0.1,
        out_indices=[11],
        init_cfg=dict(checkpoint='checkpoints/beit_vitb_800e.pth'),
    ),
)
