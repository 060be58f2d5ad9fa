"""BootMAE on OpenMMLab: Bootstrapped Masked Autoencoders (ECCV 2022) as registered modules.

``import bootmae_mm.registration`` registers everything in mmpretrain's and mmengine's registries.
Importing the package does so where mmengine or PyTorch is loaded already, as it is when a config
says ``custom_imports = dict(imports=['bootmae_mm'])`` or in a script that works with models;
otherwise it costs nothing.
"""

import sys

from .version import __version__

if sys.modules.get('mmengine') or sys.modules.get('torch'):
    from . import registration  # noqa: F401

__all__ = ['__version__']
