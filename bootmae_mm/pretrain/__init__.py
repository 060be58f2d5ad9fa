"""Self-supervised pretraining: the method, in the order a batch meets it."""

from .bootmae import BootMAE
from .compiling import CompileBlocksHook
from .decoder import TargetAwareDecoder
from .heads import FeatureHead, PixelHead
from .hooks import FeatureWeightHook, GradNormHook, MomentumTeacherHook
from .masking import BlockwiseMasking, RandomMasking
from .teacher import FrozenTeacher, MomentumTeacher

__all__ = [
    'BlockwiseMasking',
    'BootMAE',
    'CompileBlocksHook',
    'FeatureHead',
    'FeatureWeightHook',
    'FrozenTeacher',
    'GradNormHook',
    'MomentumTeacher',
    'MomentumTeacherHook',
    'PixelHead',
    'RandomMasking',
    'TargetAwareDecoder',
]
