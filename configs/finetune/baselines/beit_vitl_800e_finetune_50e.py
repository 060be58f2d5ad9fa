"""Table 6: fine-tuning of BEiT, ViT-L.

    tools/dist_train.sh configs/finetune/baselines/beit_vitl_800e_finetune_50e.py 8

Expect     85.2 % top-1
Input      normalised by 127.5, as in its pretraining; relative positions only, so the encoder gets
           a relative position bias and layer scale
Start      put the pretrained weights there yourself: they are not ours; the paper quotes the
           number, of another recipe of fine-tuning
"""

_base_ = ['../bootmae_vitl_finetune_50e.py']

model = dict(
    backbone=dict(
        relative_position_bias=True,
        layer_scale_init_value=0.1,
        init_cfg=dict(checkpoint='checkpoints/beit_vitl_800e.pth'),
    ),
)
