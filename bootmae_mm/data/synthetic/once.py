"""Folders of generated data that are written once and recognised afterwards."""

import json
from collections.abc import Callable
from pathlib import Path


def write_once(root: Path, parameters: dict, write: Callable[[], None]) -> None:
    """Let `write` fill the folder `root`, unless it was filled with the same parameters before.

    They are kept in `root/dataset.json`, which appears when all is there; an interrupted write is
    redone.

    Raises:
        ValueError: `root` holds data with other parameters, or other files.
    """
    if _is_complete(root, parameters):
        return
    root.mkdir(parents=True, exist_ok=True)
    marker = root / 'dataset.partial.json'
    marker.write_text(json.dumps(parameters, indent=2) + '\n')
    write()
    marker.replace(root / 'dataset.json')


def _is_complete(root: Path, parameters: dict) -> bool:
    """Whether `root` holds the data set of these parameters.

    Raises:
        ValueError: it holds something else.
    """
    for name in ('dataset.json', 'dataset.partial.json'):
        if not (root / name).is_file():
            continue
        try:
            found = json.loads((root / name).read_text())
        except json.JSONDecodeError as error:
            raise ValueError(f'{root / name} is damaged ({error}); remove {root}') from error
        if found != parameters:
            differences = '; '.join(
                f'{key} is {found.get(key)}, asked for is {value}'
                for key, value in parameters.items()
                if found.get(key) != value
            )
            raise ValueError(
                f'{root} holds a data set with other parameters ({differences}); remove that '
                'folder or choose another'
            )
        return name == 'dataset.json'
    if root.is_dir() and any(root.iterdir()):
        raise ValueError(
            f'{root} is not empty and was not written by this generator; choose another folder'
        )
    return False
