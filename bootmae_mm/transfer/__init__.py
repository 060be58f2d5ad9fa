"""Parts of classifiers, segmentors and detectors on the pretrained encoder; they need neither
mmseg nor mmdet, nor the pretraining code."""

from .closed_form import ClosedFormHead, ClosedFormProbe
from .probe import DepthSweepAccuracy, DepthSweepHead, LinearProbe
from .pyramid import FourScalePyramid

__all__ = [
    'ClosedFormHead',
    'ClosedFormProbe',
    'DepthSweepAccuracy',
    'DepthSweepHead',
    'FourScalePyramid',
    'LinearProbe',
]
