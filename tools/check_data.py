"""Look at a data set's folder, and say what is missing or malformed and how to lay it out.

    python tools/check_data.py imagenet data/imagenet
    python tools/check_data.py ade20k data/ade/ADEChallengeData2016
    python tools/check_data.py coco data/coco
    python tools/check_data.py images data/holidays             (pretraining without labels)
    python tools/check_data.py imagenet data/shapes --num-classes 8
    python tools/check_data.py coco --config mine/detect.py     (as this config reads it)

Reads names and annotation files, and decodes a few files of each split. How many classes there
should be comes from the config, or --num-classes, or else from the data. Exits with 0 if training
can start, 1 if there are errors, 2 if the command is wrong.
"""

import argparse
import sys

from bootmae_mm.preflight.data import ade20k, coco, imagenet, pictures

CHECKS = {'imagenet': imagenet, 'ade20k': ade20k, 'coco': coco, 'images': pictures}
MARKS = {'note': '     ', 'ok': 'ok   ', 'warning': 'WARN ', 'error': 'ERROR'}


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('kind', choices=CHECKS, help='how the folder is laid out')
    parser.add_argument(
        'folder', nargs='?', help="the folder of the data set; by default the config's data_root"
    )
    parser.add_argument(
        '--config', metavar='CONFIG', help='take what is expected of the data from this config'
    )
    parser.add_argument('--num-classes', type=int, metavar='N', help='number of classes to expect')
    parser.add_argument(
        '--sample', type=int, default=20, metavar='N', help='files to decode per split (default 20)'
    )
    args = parser.parse_args(argv)
    if args.num_classes is not None and (args.kind == 'images' or args.num_classes < 1):
        parser.error(
            f'--num-classes expects a positive number and a labelled data set, found '
            f'{args.num_classes} for {args.kind}'
        )
    if args.sample < 1:
        parser.error(f'--sample expects a positive number, found {args.sample}')
    args.options = {} if args.num_classes is None else dict(num_classes=args.num_classes)
    if args.config is not None:
        read_config(args)
    if args.folder is None:
        parser.error('expected the folder of the data set, found none; name it')
    return args


def read_config(args: argparse.Namespace) -> None:
    """Put the folder and what is expected there into ``args``, where the command line does not
    say."""
    # Late: they draw in the whole stack, which checks without a config do without.
    from bootmae_mm import command_line
    from bootmae_mm.preflight.data.expected import expectations

    with command_line.user_errors():
        root, options = expectations(command_line.read_config(args.config), args.kind)
    if args.folder not in (None, root):
        options.pop('splits', None)  # of the config's own folder
    args.folder = args.folder or root
    args.options = {**options, **args.options}


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    args = parse_args(argv)
    check = CHECKS[args.kind]
    num_errors = 0
    for finding in check.check(args.folder, sample=args.sample, **args.options):
        print(MARKS[finding.level], finding.sentence, flush=True)
        num_errors += finding.level == 'error'
    if num_errors:
        print(f'\nErrors: {num_errors}. The layout to have:\n\n{check.LAYOUT}')
        return 1
    print('\nNo errors.')
    return 0


if __name__ == '__main__':
    sys.exit(main())
