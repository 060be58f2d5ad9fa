"""Says which extra to install when the OpenMMLab stack is not there."""

from importlib.util import find_spec

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
