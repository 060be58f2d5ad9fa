"""Parts of classifiers, segmentors and detectors on the pretrained encoder; they need neither
mmseg nor mmdet, nor the pretraining code."""

from .ema import OptimizerStepEMAHook
from .layer_decay import LayerDecayConstructor
from .precision import FeatureAutocastOptimWrapper
from .probe import DepthSweepAccuracy, DepthSweepHead, LinearProbe
from .pyramid import FourScalePyramid

__all__ = [
    'DepthSweepAccuracy',
    'DepthSweepHead',
    'FeatureAutocastOptimWrapper',
    'FourScalePyramid',
    'LayerDecayConstructor',
    'LinearProbe',
    'OptimizerStepEMAHook',
]
