"""Whether what is installed is what the project asks for."""

import platform
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec

from packaging.requirements import Requirement

from ..data.files import Finding
from .case import Case

PROJECT = 'bootmae-mm'
# Distributions that own the same import names, and the extras that ask for them.
FAMILIES = {
    'onedl': ('onedl-mmengine', ('pretrain', 'onedl')),
    'upstream': ('mmengine', ('upstream',)),
}
TOOLBOXES = {'mmseg': 'mmsegmentation', 'mmdet': 'mmdet'}


def check_versions(case: Case) -> Iterator[Finding]:
    """Versions against the project's ranges, and compiled operators where a config needs them."""
    installed = [name for name, (core, _) in FAMILIES.items() if version(core)]
    if len(installed) == 2:
        yield Finding(
            'error',
            'Expected one family of OpenMMLab packages, found onedl-mmengine and mmengine, which '
            'overwrite each other; uninstall both and install one of the extras onedl, upstream.',
        )
    try:
        declared = [Requirement(text) for text in metadata.requires(PROJECT) or ()]
    except metadata.PackageNotFoundError:
        declared = []
        yield Finding(
            'warning', f'{PROJECT} is not installed, so that no versions are known to compare with.'
        )
    extras = FAMILIES[installed[0]][1] if len(installed) == 1 else ()
    yield from compare([r for r in declared if r.name != PROJECT], extras)
    yield from check_operators(case.cfg.get('default_scope'))


def version(name: str) -> str | None:
    """The version of a distribution; None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def compare(declared: list[Requirement], extras: tuple[str, ...]) -> Iterator[Finding]:
    """Installed versions against the requirements of the package and of some of its extras."""
    fine = [f'Python {platform.python_version()}']
    for requirement in declared:
        marker, found = requirement.marker, version(requirement.name)
        wanted = marker is None or any(marker.evaluate({'extra': extra}) for extra in extras)
        if not wanted or found is None:  # what a config needs and lacks fails by name elsewhere
            continue
        if requirement.specifier.contains(found, prereleases=True):
            fine.append(f'{requirement.name} {found}')
        else:
            yield Finding(
                'error',
                f'Expected {requirement.name} {requirement.specifier}, found {found}; install a '
                'version in that range (make setup does).',
            )
    yield Finding('ok', ', '.join(fine) + '.')


def check_operators(scope: str | None) -> Iterator[Finding]:
    """Segmentation and detection import mmcv's compiled operators."""
    if scope not in TOOLBOXES:
        return
    if find_spec(scope) is None:
        yield Finding(
            'error',
            f'Expected {TOOLBOXES[scope]}, as default_scope is {scope!r}, found none; install the '
            'extra onedl or upstream.',
        )
    if find_spec('mmcv._ext') is None:
        yield Finding(
            'error',
            f'Expected mmcv with compiled operators, which {scope} needs, found one without; '
            'install it with make setup, which compiles them.',
        )
    else:
        yield Finding('ok', "mmcv's compiled operators are there.")
