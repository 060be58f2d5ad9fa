"""Train from a config.

python tools/train.py configs/pretrain/bootmae_vitb_800e.py [--work-dir D] [--resume [CKPT]]
tools/dist_train.sh configs/pretrain/bootmae_vitb_800e.py 8
"""

import argparse
from pathlib import Path

from mmengine.config import Config, DictAction

from bootmae_mm.training import train


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('config', help='path of the config')
    parser.add_argument('--work-dir', help='where to write; default work_dirs/<config name>')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CKPT',
        help='go on from this checkpoint, or from the newest one in the work directory',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='settings to override, e.g. train_dataloader.batch_size=128',
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none')
    args = parser.parse_args(argv)
    if not Path(args.config).is_file():
        parser.error(f'expected the path of a config, found no file {args.config!r}')
    return args


def load_config(args: argparse.Namespace) -> Config:
    """The config with the command line's changes."""
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    if args.work_dir:
        cfg.work_dir = args.work_dir
    cfg.setdefault('work_dir', str(Path('work_dirs') / Path(args.config).stem))
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    return cfg


if __name__ == '__main__':
    train(load_config(parse_args()))
