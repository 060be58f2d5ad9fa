"""Look at a data set's folder, and say what is missing or malformed and how to lay it out.

    python tools/check_data.py imagenet data/imagenet
    python tools/check_data.py ade20k data/ade/ADEChallengeData2016
    python tools/check_data.py coco data/coco
    python tools/check_data.py images data/holidays             (pretraining without labels)
    python tools/check_data.py imagenet data/shapes --num-classes 8

Reads names and annotation files, and decodes a few files of each split. Exits with 0 if training
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
    parser.add_argument('folder', help='the folder of the data set')
    parser.add_argument(
        '--num-classes', type=int, metavar='N', help="number of classes, if not the data set's own"
    )
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
    return args


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    args = parse_args(argv)
    check = CHECKS[args.kind]
    options = {} if args.num_classes is None else dict(num_classes=args.num_classes)
    num_errors = 0
    for finding in check.check(args.folder, sample=args.sample, **options):
        print(MARKS[finding.level], finding.sentence, flush=True)
        num_errors += finding.level == 'error'
    if num_errors:
        print(f'\nErrors: {num_errors}. The layout to have:\n\n{check.LAYOUT}')
        return 1
    print('\nNo errors.')
    return 0


if __name__ == '__main__':
    sys.exit(main())
