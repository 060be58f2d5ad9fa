"""Run a tool of the package from anywhere, on its configs or on your own.

    python -m bootmae_mm train bootmae_vitb_800e --work-dir runs/first
    python -m bootmae_mm test seg/upernet_bootmae_vitb_160k.py runs/seg/iter_160000.pth
    python -m bootmae_mm where        the folder that has configs and tools
    torchrun --nproc-per-node 8 -m bootmae_mm train CONFIG --launcher pytorch

A config is a path, or the end of the path of one that comes with the package, with or
without .py.
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
        sys.argv = [str(tools[name]), *arguments]
        runpy.run_path(sys.argv[0], run_name='__main__')


if __name__ == '__main__':
    main()
