"""Table 7b: Mask R-CNN on COCO from BEiT.

    tools/dist_train.sh configs/det/baselines/beit_vitb_800e_mask_rcnn_1x.py 8

Expect     46.3 box AP, 41.1 mask AP
Input      normalised by 127.5, as in its pretraining; relative positions only, so the encoder gets
           a relative position bias and layer scale
Start      put the pretrained weights there yourself: they are not ours
"""

_base_ = ['../mask_rcnn_bootmae_vitb_1x.py']

model = dict(
    backbone=dict(
        relative_position_bias=True,
        layer_scale_init_value=0.1,
        init_cfg=dict(checkpoint='checkpoints/beit_vitb_800e.pth'),
    ),
)
