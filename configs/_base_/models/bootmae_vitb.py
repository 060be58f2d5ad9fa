"""BootMAE with ViT-B (paper, section 4.1 and appendix C). 224 / 16 = 14, 14 × 14 = 196 patches."""

model = dict(
    type='BootMAE',
    data_preprocessor=dict(
        type='SelfSupDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True
    ),
    backbone=dict(type='BootMAEViT', arch='base', img_size=224, patch_size=16),
    # Pixels: 2 blocks of width 512, handed the first encoder block's output.
    regressor=dict(type='TargetAwareDecoder', embed_dims=512, depth=2, context_layer=0),
    pixel_head=dict(type='PixelHead', norm='channel'),
    # Features: 2 blocks of the encoder's width, handed the last encoder block's output.
    predictor=dict(type='TargetAwareDecoder', depth=2, context_layer=-1),
    feature_head=dict(type='FeatureHead'),
    teacher=dict(type='MomentumTeacher', fraction=1.0),
    centre_weighting=True,
)
