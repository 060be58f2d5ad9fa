"""The fine-tuned classifier and the segmentation backbone, against the authors' release."""

from collections.abc import Iterator

import torch
from mmpretrain.registry import MODELS

from ... import checkpoint
from ...checkpoint.differences import largest_relative_difference
from ...encoder.position import relative_position_index
from ...transfer.pyramid import FourScalePyramid
from .golden import OUTPUT_TOLERANCE, Golden, Row, encoder_config


def compare_classifier(golden: Golden) -> Iterator[Row]:
    """Pooled features and class scores of a fine-tuned model."""
    meta = golden.meta
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=encoder_config(meta, final_norm=False, out_type='avg_featmap'),
            head=dict(
                type='LinearClsHead',
                num_classes=meta['num_classes'],
                in_channels=meta['embed_dims'],
            ),
        )
    )
    model.to(golden.device).eval()
    state = checkpoint.from_release(golden.tensors('state'), checkpoint.CLASSIFIER_NAMES)
    model.load_state_dict(state)
    with torch.no_grad():
        pooled = model.backbone(golden.tensor('images'))
        ours = dict(pooled=pooled[-1], logits=model.head(pooled))
    for name, value in ours.items():
        difference = largest_relative_difference(value, golden.arrays[name])
        yield Row(name, difference, OUTPUT_TOLERANCE)


def compare_dense(golden: Golden) -> Iterator[Row]:
    """The four feature maps of a segmentation backbone, after the adapter."""
    meta = golden.meta
    backbone = MODELS.build(
        encoder_config(
            meta,
            final_norm=False,
            out_type='featmap',
            out_indices=list(meta['out_indices']),
            relative_position_bias=meta['use_rel_pos_bias'],
            layer_scale_init_value=float(meta['layer_scale_init'] or 0),
        )
    )
    pyramid = FourScalePyramid(meta['embed_dims'], norm_cfg=dict(type='BN'))
    for part in (backbone, pyramid):
        part.to(golden.device).eval()
    state = golden.tensors('state')
    index_names = [name for name in state if name.endswith('relative_position_index')]
    for name in index_names:
        ours = relative_position_index(tuple(backbone.patch_resolution), golden.device)
        difference = largest_relative_difference(ours, state.pop(name))
        yield Row(name, difference, OUTPUT_TOLERANCE)
    adapter = {name: state.pop(name) for name in list(state) if name.startswith('fpn')}
    pyramid.load_state_dict(checkpoint.pyramid_from_release(adapter))
    backbone.load_state_dict(checkpoint.from_release(state, checkpoint.TRANSFER_ENCODER_NAMES))
    with torch.no_grad():
        levels = pyramid(backbone(golden.tensor('images')))
    for number, level in enumerate(levels):
        name = f'level{number}'
        difference = largest_relative_difference(level, golden.arrays[name])
        yield Row(name, difference, OUTPUT_TOLERANCE)
