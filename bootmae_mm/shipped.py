"""The configs and tools that come with the package: in its ``.mim`` folder where it is installed,
beside it in a checkout."""

from collections.abc import Iterable
from pathlib import Path

from .preflight.config.nearest import nearest

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
        name: A path as it stands, or the end of one of :func:`folder`'s configs, also without
            ``.py``: ``bootmae_vitb_800e``, ``pretrain/bootmae_vitb_800e.py``.
        place: :func:`folder`.

    Returns:
        ``name`` where it is a file, otherwise the path of the config that has that end.

    Raises:
        ValueError: If no config has that end, or several have.
    """
    if Path(name).is_file():
        return name
    wanted = Path(name if name.endswith('.py') else f'{name}.py')
    known = sorted(path.relative_to(place) for path in (place / 'configs').rglob('*.py'))
    found = [path for path in known if path.parts[-len(wanted.parts) :] == wanted.parts]
    if len(found) == 1:
        return str(place / found[0])
    if found:
        raise ValueError(
            f'Expected the name of one config, found several: {_names(found)}; give a folder.'
        )
    same_task = {path.stem for path in known if path.parts[1] in wanted.parts}
    near = nearest(wanted.stem, same_task) or nearest(wanted.stem, {path.stem for path in known})
    alike = _names(path for path in known if path.stem == near)
    instead = 'the folder' if name and Path(name).is_dir() else 'no file'
    raise ValueError(
        f'Expected the path of a config or the name of one of the package, found {instead} '
        f'{name!r}; '
        + (f'the nearest name is {alike}' if near else f'{place / "configs"} has them')
        + " (the command of every row of the paper's tables: docs/reproduction.md)."
    )


def _names(paths: Iterable[Path]) -> str:
    return ', '.join(path.relative_to('configs').as_posix() for path in paths)
