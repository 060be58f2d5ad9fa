"""BootMAE on OpenMMLab: Bootstrapped Masked Autoencoders (ECCV 2022) as registered modules.

Importing the package registers everything in mmpretrain's and mmengine's registries; a config does
so with ``custom_imports = dict(imports=['bootmae_mm'])``.
"""

from ._stack import import_stack, require_stack

require_stack()
import_stack()

from . import distributed, encoder, memory, optim, pretrain, resume, total_batch, transfer  # noqa: E402
from .data_check.hook import DataCheckHook  # noqa: E402
from .data_check.seg_labels import CheckSegLabels  # noqa: E402
from .probes import LabelMapFolders, OnlineProbeHook  # noqa: E402
from .run_report.hook import ReportHook  # noqa: E402
from .version import __version__  # noqa: E402
from .visualization import PicturesHook  # noqa: E402

__all__ = [
    'CheckSegLabels',
    'DataCheckHook',
    'LabelMapFolders',
    'OnlineProbeHook',
    'PicturesHook',
    'ReportHook',
    '__version__',
    'distributed',
    'encoder',
    'memory',
    'optim',
    'pretrain',
    'resume',
    'total_batch',
    'transfer',
]
