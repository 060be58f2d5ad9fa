"""Parts of classifiers, segmentors and detectors on the pretrained encoder; they need neither
mmseg nor mmdet, nor the pretraining code."""

from .ema import OptimizerStepEMAHook
from .layer_decay import LayerDecayConstructor
from .memory import BlockCheckpointHook, checkpoint_blocks
from .precision import FeatureAutocastOptimWrapper
from .probe import DepthSweepAccuracy, DepthSweepHead, LinearProbe
from .pyramid import FourScalePyramid

__all__ = [
    'BlockCheckpointHook',
    'DepthSweepAccuracy',
    'DepthSweepHead',
    'FeatureAutocastOptimWrapper',
    'FourScalePyramid',
    'LayerDecayConstructor',
    'LinearProbe',
    'OptimizerStepEMAHook',
    'checkpoint_blocks',
]
