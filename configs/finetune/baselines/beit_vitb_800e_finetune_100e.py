"""Table 6: fine-tuning of BEiT, ViT-B.

    tools/dist_train.sh configs/finetune/baselines/beit_vitb_800e_finetune_100e.py 8

Expect     83.2 % top-1
Input      normalised by 127.5, as in its pretraining; relative positions only, so the encoder gets
           a relative position bias and layer scale
Start      put the pretrained weights there yourself: they are not ours; the paper quotes the
           number, of another recipe of fine-tuning
"""

_base_ = ['../bootmae_vitb_finetune_100e.py']

model = dict(
    backbone=dict(
        relative_position_bias=True,
        layer_scale_init_value=0.1,
        init_cfg=dict(checkpoint='checkpoints/beit_vitb_800e.pth'),
    ),
)
