"""BootMAE's ViT-B as dense tasks use it: blocks 4, 6, 8 and 12 of an image of any size (paper,
appendix C), normalised as in pretraining."""

model = dict(
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True),
    backbone=dict(
        type='mmpretrain.BootMAEViT',
        arch='base',
        # The fixed position embedding is that of pretraining, resized to the images' grid.
        img_size=224,
        patch_size=16,
        drop_path_rate=0.1,
        out_indices=[3, 5, 7, 11],  # blocks 4, 6, 8, 12
        out_type='featmap',
        final_norm=False,
        init_cfg=dict(
            type='PretrainedEncoder', checkpoint='work_dirs/bootmae_vitb_800e/epoch_800.pth'
        ),
    ),
)
