"""Parts of classifiers, segmentors and detectors on the pretrained encoder; they need neither
mmseg nor mmdet, nor the pretraining code."""

from .probe import DepthSweepAccuracy, DepthSweepHead, LinearProbe
from .pyramid import FourScalePyramid

__all__ = ['DepthSweepAccuracy', 'DepthSweepHead', 'FourScalePyramid', 'LinearProbe']
