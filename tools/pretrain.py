"""Pretrain on a folder of pictures, without labels and without a config of your own.

    python -m bootmae_mm pretrain PICTURES
    python -m bootmae_mm pretrain PICTURES --hours 8 --out runs/mine
    python -m bootmae_mm pretrain PICTURES --arch small --size 160x320 --epochs 200 --dry-run

Looks at the pictures and the machine, writes RUN/config.py with a reason for every number, has the
doctor check it, says what will happen, and trains on all GPUs. The same command goes on where it
stopped; so does `python -m bootmae_mm train RUN/config.py`, also after you changed the config.
"""

import argparse
import re
import sys
from functools import partial
from pathlib import Path

from bootmae_mm import command_line
from bootmae_mm.commands.shapes import ARCHS, PATCHES


def pixels(text: str) -> tuple[int, int]:
    """224 or 160x320 (height x width), as a type of argparse."""
    if not re.fullmatch(r'\d+(x\d+)?', text):
        raise argparse.ArgumentTypeError(
            f'expected a number of pixels, or HEIGHTxWIDTH, found {text!r}'
        )
    numbers = [int(part) for part in text.split('x')]
    return numbers[0], numbers[-1]


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('pictures', help='a folder of pictures, at any depth')
    parser.add_argument('--out', metavar='RUN', help='default work_dirs/<name of PICTURES>')
    parser.add_argument('--arch', choices=ARCHS, help='default base; mini where there is no GPU')
    parser.add_argument('--size', type=pixels, help='of the input; default 224, 64 without a GPU')
    parser.add_argument('--patch', type=int, choices=PATCHES, help='default 16; 8 of small inputs')
    length = parser.add_mutually_exclusive_group()
    length.add_argument('--epochs', type=int, help='default 800, 300 from 100,000 pictures on')
    length.add_argument('--hours', type=float, help='as many epochs as there is time for')
    parser.add_argument('--from', dest='start', metavar='RUN', help='go on from its encoder')
    parser.add_argument('--dry-run', action='store_true', help='write and check, do not train')
    args = parser.parse_args(argv)
    for name in ('epochs', 'hours'):
        value = getattr(args, name)
        if value is not None and value <= 0:
            parser.error(f'--{name} expects a number above 0, found {value}')
    return args


def main(argv: list[str] | None = None) -> None:
    """Prepare the run, and train; the exit status is the run's."""
    args = vars(parse_args(argv))
    # Late, since these take seconds to import: a wrong option is told at once.
    from bootmae_mm.commands.pretraining import Wish, prepare
    from bootmae_mm.commands.training import train

    say, dry_run = partial(print, flush=True), args.pop('dry_run')
    args['out'] = args['out'] or str(Path('work_dirs', Path(args['pictures']).absolute().name))
    with command_line.user_errors():
        config, processes = prepare(Wish(**args), say)
    if not dry_run:
        sys.exit(train(config, processes, say))


if __name__ == '__main__':
    main()
