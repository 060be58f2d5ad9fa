"""MAE's form in BootMAE's parts, for what mmpretrain's MAE cannot do: block-wise masks, and
features of a frozen MAE as the target (Tables 3 and 9). A decoder of 8 blocks, 16 heads and width
512, no context, every masked patch of the same weight. 224 / 16 = 14, 14 × 14 = 196 patches.
"""

decoder = dict(type='TargetAwareDecoder', embed_dims=512, depth=8, num_heads=16, context_layer=None)
model = dict(
    type='BootMAE',
    # MAE's: the frozen teacher was pretrained so.
    data_preprocessor=dict(
        type='SelfSupDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
    backbone=dict(type='BootMAEViT', arch='base', img_size=224, patch_size=16),
    centre_weighting=False,
)
