"""Pretrain a small BootMAE and report what came of it.

    make demo                              on pictures that it draws, with labels: evaluated
    make demo DATA=/folder/of/images       on your own pictures: losses and reconstructions
    python tools/demo.py --draw            draws its pictures into data/ and does no more

Writes work_dirs/demo/report.html (self-contained) and metrics.json.
"""

import argparse
from functools import partial
from pathlib import Path

from bootmae_mm import command_line
from bootmae_mm.data.synthetic import data_sets


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    what = parser.add_mutually_exclusive_group()
    what.add_argument('--data', type=Path, help='folder of images to pretrain on instead')
    what.add_argument('--draw', action='store_true', help='draw the pictures and stop')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'))
    args, say = parser.parse_args(argv), partial(print, flush=True)
    if args.draw:
        data_sets.draw(Path('data'), say)
        return
    # Late, since these take seconds to import: a wrong option is told at once.
    import bootmae_mm.registration  # noqa: F401
    from bootmae_mm.studies.demo.running import run

    with command_line.user_errors():
        run(args.data and args.data.expanduser(), args.work_dir, say)


if __name__ == '__main__':
    main()
