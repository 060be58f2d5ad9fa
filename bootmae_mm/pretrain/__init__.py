"""Self-supervised pretraining: the method, in the order a batch meets it."""

from .bootmae import BootMAE
from .compiling import CompileBlocksHook
from .cropping import RandomCropFlip
from .data_wait import DataWaitHook
from .dataset import UnlabelledImages
from .decoder import TargetAwareDecoder
from .heads import FeatureHead, PixelHead
from .health import HealthHook
from .hooks import FeatureWeightHook, GradNormHook, MomentumTeacherHook
from .image_report import ImageReportHook
from .loading import LoadAnyImage
from .masking import BlockwiseMasking, RandomMasking
from .sampling import EpochSampler
from .teacher import FrozenTeacher, MomentumTeacher

__all__ = [
    'BlockwiseMasking',
    'BootMAE',
    'CompileBlocksHook',
    'DataWaitHook',
    'EpochSampler',
    'FeatureHead',
    'FeatureWeightHook',
    'FrozenTeacher',
    'GradNormHook',
    'HealthHook',
    'ImageReportHook',
    'LoadAnyImage',
    'MomentumTeacher',
    'MomentumTeacherHook',
    'PixelHead',
    'RandomCropFlip',
    'RandomMasking',
    'TargetAwareDecoder',
    'UnlabelledImages',
]
