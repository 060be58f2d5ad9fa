"""Pretrain on a folder of pictures, without labels and without a config of your own.

    python -m bootmae_mm pretrain PICTURES
    python -m bootmae_mm pretrain PICTURES --hours 8 --out runs/mine
    python -m bootmae_mm pretrain PICTURES --arch small --size 160x320 --epochs 200 --dry-run

Looks at the pictures and the machine, writes RUN/config.py with a reason for every number, has the
doctor check it, says what will happen, and trains on all GPUs. The same command goes on where it
stopped; so does `python -m bootmae_mm train RUN/config.py`, also after you changed the config.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from bootmae_mm import command_line
from bootmae_mm.commands.arguments import above_zero, pixels, training_parser
from bootmae_mm.commands.shapes import ARCHS


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = training_parser(__doc__, 'pictures', 'a folder of pictures, at any depth')
    parser.add_argument('--arch', choices=ARCHS, help='default base; mini where there is no GPU')
    parser.add_argument('--size', type=pixels, help='of the input; default 224, 64 without a GPU')
    parser.add_argument(
        '--patch', type=above_zero(int), help='side of a patch; default 16, 8 of small inputs'
    )
    parser.add_argument('--from', dest='start', metavar='RUN', help='go on from its encoder')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Prepare the run, and train; the exit status is the run's."""
    args = vars(parse_args(argv))
    args['out'] = args['out'] or str(Path('work_dirs', Path(args['pictures']).absolute().name))
    # Late, since this takes seconds to import: a wrong option is told at once.
    from bootmae_mm.commands.pretraining import pretrain

    with command_line.user_errors():
        sys.exit(pretrain(**args, say=partial(print, flush=True)).status)


if __name__ == '__main__':
    main()
