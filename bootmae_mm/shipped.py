"""The configs and tools that come with the package: in its ``.mim`` folder where it is installed,
beside it in a checkout."""

from pathlib import Path

PACKAGE = Path(__file__).parent


def folder(package: Path = PACKAGE) -> Path:
    """The folder that has ``configs`` and ``tools``.

    Raises:
        ValueError: If there is none.
    """
    for place in (package / '.mim', package.parent):
        if (place / 'configs').is_dir() and (place / 'tools').is_dir():
            return place
    raise ValueError(
        f'Expected configs and tools in {package / ".mim"} or {package.parent}, found neither; '
        'install bootmae-mm again.'
    )


def tools(place: Path) -> dict[str, Path]:
    """The Python tools of :func:`folder` by name."""
    return {path.stem: path for path in sorted((place / 'tools').glob('*.py'))}


def find_config(name: str, place: Path) -> str:
    """The path of a config.

    Args:
        name: A path as it stands, or the end of one of :func:`folder`'s configs:
            ``bootmae_vitb_800e.py``, ``pretrain/bootmae_vitb_800e.py``.
        place: :func:`folder`.

    Returns:
        ``name`` where it is a file or no config has that end; otherwise the config's path.

    Raises:
        ValueError: If several configs have that end.
    """
    if Path(name).is_file():
        return name
    wanted = Path(name).parts
    found = [
        path
        for path in sorted((place / 'configs').rglob(Path(name).name))
        if path.relative_to(place).parts[-len(wanted) :] == wanted
    ]
    if len(found) > 1:
        names = ', '.join(str(path.relative_to(place / 'configs')) for path in found)
        raise ValueError(f'Expected the name of one config, found several: {names}; give a folder.')
    return str(found[0]) if found else name
