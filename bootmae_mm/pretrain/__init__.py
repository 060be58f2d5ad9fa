"""Self-supervised pretraining: the method, in the order a batch meets it."""

from .bootmae import BootMAE
from .compiling import CompileBlocksHook
from .dataset import UnlabelledImages
from .decoder import TargetAwareDecoder
from .heads import FeatureHead, PixelHead
from .hooks import FeatureWeightHook, GradNormHook, ImageReportHook, MomentumTeacherHook
from .loading import LoadAnyImage
from .masking import BlockwiseMasking, RandomMasking
from .sampling import EpochSampler
from .teacher import FrozenTeacher, MomentumTeacher

__all__ = [
    'BlockwiseMasking',
    'BootMAE',
    'CompileBlocksHook',
    'EpochSampler',
    'FeatureHead',
    'FeatureWeightHook',
    'FrozenTeacher',
    'GradNormHook',
    'ImageReportHook',
    'LoadAnyImage',
    'MomentumTeacher',
    'MomentumTeacherHook',
    'PixelHead',
    'RandomMasking',
    'TargetAwareDecoder',
    'UnlabelledImages',
]
