"""Parts of classifiers, segmentors and detectors on the pretrained encoder; they need neither
mmseg nor mmdet, nor the pretraining code."""

from .layer_decay import LayerDecayConstructor
from .pyramid import FourScalePyramid

__all__ = ['FourScalePyramid', 'LayerDecayConstructor']
