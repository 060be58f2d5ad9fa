"""Run a tool of the package from anywhere, on its configs or on your own.

    python -m bootmae_mm train pretrain/bootmae_vitb_800e.py --work-dir runs/first
    python -m bootmae_mm test seg/upernet_bootmae_vitb_160k.py runs/seg/iter_160000.pth
    python -m bootmae_mm where        the folder that has configs and tools
    torchrun --nproc-per-node 8 -m bootmae_mm train CONFIG --launcher pytorch

A config is a path, or the end of the path of one that comes with the package.
"""

import runpy
import sys

from . import shipped


def main(argv: list[str] | None = None) -> None:
    """Run ``argv[0]``'s tool with the other arguments."""
    name, *arguments = (sys.argv[1:] if argv is None else argv) or ['--help']
    place = shipped.folder()
    tools = shipped.tools(place)
    if name in ('-h', '--help'):
        print(f'{__doc__}\nTools: {", ".join(tools)}.')
    elif name == 'where':
        print(place)
    elif name not in tools:
        sys.exit(f'Expected the name of a tool, found {name!r}; choose one of {", ".join(tools)}.')
    else:
        run(str(tools[name]), arguments)


def run(tool: str, arguments: list[str]) -> None:
    """Run a tool as its own command line, names of configs replaced by their paths."""
    place = shipped.folder()
    try:
        paths = [shipped.find_config(a, place) if a.endswith('.py') else a for a in arguments]
    except ValueError as error:
        sys.exit(str(error))
    sys.argv = [tool, *paths]
    runpy.run_path(tool, run_name='__main__')


if __name__ == '__main__':
    main()
