"""Registers everything of this package in mmpretrain's and mmengine's registries, when imported.

A new hook, head or data set is in place once its module stands below.
"""

import contextlib
import importlib
import io
import sys
from importlib.util import find_spec

# Every module that registers something.
MODULES = (
    'data.coco',
    'data.cropping',
    'data.dataset',
    'data.image_folders',
    'data.label_maps',
    'data.loading',
    'data.sampling',
    'encoder.vit',
    'engine.distributed',
    'engine.ema',
    'engine.layer_decay',
    'engine.memory',
    'engine.optim',
    'engine.precision',
    'engine.resume.checkpoint_hook',
    'engine.resume.loop',
    'engine.resume.runner',
    'engine.resume.stopping',
    'engine.total_batch',
    'engine.trackers',
    'engine.warm_up',
    'monitors.data_wait',
    'monitors.health.hook',
    'monitors.image_report',
    'monitors.probes.hook',
    'monitors.probes.label_maps',
    'preflight.data.seg_labels',
    'preflight.start',
    'pretrain.bootmae',
    'pretrain.compiling',
    'pretrain.decoder',
    'pretrain.heads',
    'pretrain.hooks',
    'pretrain.masking',
    'pretrain.preprocessing',
    'pretrain.teacher',
    'reports.run.hook',
    'transfer.closed_form',
    'transfer.label_map_files',
    'transfer.probe',
    'transfer.pyramid',
    'visualization.hook',
    'visualization.painted_set',
)
REQUIRED_PACKAGES = ('mmengine', 'mmcv', 'mmpretrain')


def require_stack() -> None:
    """Check that the packages this one is built on are installed, without importing them.

    A package that is installed but fails to import is not this function's business: its own error
    is the one to see.

    Raises:
        ImportError: If mmengine, mmcv or mmpretrain is missing, naming the extras to choose from.
    """
    missing = [name for name in REQUIRED_PACKAGES if find_spec(name) is None]
    if missing:
        raise ImportError(
            f'bootmae_mm needs {", ".join(missing)}, not found in this environment: install the '
            "OpenMMLab stack with one of the extras, pip install 'bootmae-mm[pretrain]', "
            "'bootmae-mm[onedl]' or 'bootmae-mm[upstream]'."
        )


def import_stack() -> None:
    """Import mmpretrain without a word on standard output, which is for results: those of
    ``$(python -m bootmae_mm where)``, for one.

    What it prints goes to the error stream, but for the line that OneDL, a service of the packages'
    makers that nothing here uses, is not there.
    """
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        importlib.import_module('mmpretrain.datasets')
    for line in printed.getvalue().splitlines():
        if line != 'Could not import OneDL':
            sys.stderr.write(f'{line}\n')


require_stack()
import_stack()
for _name in MODULES:
    importlib.import_module(f'{__package__}.{_name}')
