"""Pretrain a small BootMAE on drawn pictures, and see what it is worth with labels.

    make demo                        classification and segmentation, one seed
    make demo-full                   three seeds, with their spread, and detection
    python tools/demo.py --draw      draws the pictures into data/ and does no more

Runs the commands of the README, and writes work_dirs/demo/report.html (self-contained) and
metrics.json. Called again, goes on.
"""

import argparse
from functools import partial
from pathlib import Path

from bootmae_mm import command_line
from bootmae_mm.data.synthetic import data_sets


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument('--full', action='store_true', help='three seeds, and detection too')
    what.add_argument('--draw', action='store_true', help='draw the pictures and stop')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'))
    args, data, say = parser.parse_args(argv), Path('data'), partial(print, flush=True)
    if args.draw:
        data_sets.draw(data, say)
        return
    # Late, since these take seconds to import: a wrong option is told at once.
    import bootmae_mm.registration  # noqa: F401
    from bootmae_mm.studies.demo.running import run

    with command_line.user_errors():
        run(args.full, data, args.work_dir, say)


if __name__ == '__main__':
    main()
