"""Write one page about a training run: curves, monitors, pictures, config, versions.

    python tools/report.py work_dirs/bootmae_vitb_800e
    python tools/report.py WORK_DIR --out /tmp/report.html

The page is a single file that needs nothing else, for a browser on a computer or a phone. Works
while training goes on, after a crash, and on a copy of the folder; nothing in it is run as code.
Exits with 0 if the page is written, 2 if the folder is no work_dir or the command is wrong.
"""

import argparse
import sys
from pathlib import Path

from bootmae_mm.reports.run.page import write_report


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('work_dir', help='the folder of the run')
    parser.add_argument('--out', metavar='FILE', help='default report.html in the work_dir')
    args = parser.parse_args(argv)
    if args.out and not Path(args.out).parent.is_dir():
        parser.error(f'--out expects a file in a folder that exists, found none at {args.out!r}')
    try:
        path = write_report(args.work_dir, args.out)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(path)
    return 0


if __name__ == '__main__':
    sys.exit(main())
