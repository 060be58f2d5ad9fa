"""Which files a conversion writes, and how far it may be off."""

from pathlib import Path

TOLERANCE = 1e-4
SUFFIXES = {
    'ours': ('.pth', '.pt', '.safetensors'),
    'release': ('.pth', '.pt', '.safetensors'),
    'timm': ('.pth', '.pt', '.safetensors'),
    'transformers': ('',),
    'safetensors': ('.safetensors',),
    'onnx': ('.onnx',),
}


def check_suffix(target: Path, to: str) -> None:
    """Raise ``ValueError`` for a name that does not fit the format."""
    if target.suffix not in SUFFIXES[to]:
        names = ', '.join(SUFFIXES[to]) or 'none'
        what = 'a folder without suffix' if to == 'transformers' else f'a name ending in {names}'
        raise ValueError(f'Expected {what} for {to!r}, found {str(target)!r}; choose another name.')
