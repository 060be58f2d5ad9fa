"""Train from a config.

python tools/train.py configs/pretrain/bootmae_vitb_800e.py [--work-dir D] [--resume [CKPT]]
tools/dist_train.sh configs/pretrain/bootmae_vitb_800e.py 8
"""

import argparse

from bootmae_mm import command_line
from bootmae_mm.training import train


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    command_line.add_config_arguments(parser)
    command_line.add_run_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CKPT',
        help='go on from this checkpoint, or from the newest one in the work directory',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Train."""
    args = parse_args(argv)
    cfg = command_line.load_config(args)
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    train(cfg)


if __name__ == '__main__':
    main()
