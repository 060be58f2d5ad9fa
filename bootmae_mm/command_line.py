"""What the command lines that take a config have in common."""

import argparse
from pathlib import Path

from mmengine.config import Config, DictAction


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """CONFIG and ``--cfg-options``."""
    parser.add_argument('config', type=existing_file, help='path of the config')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='settings to override, e.g. train_dataloader.batch_size=128',
    )


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """``--work-dir`` and ``--launcher``."""
    parser.add_argument('--work-dir', help='where to write; default work_dirs/<config name>')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none')


def existing_file(path: str) -> str:
    """The path of a file, as a type of argparse."""
    if not Path(path).is_file():
        raise argparse.ArgumentTypeError(f'expected the path of a file, found no file {path!r}')
    return path


def load_config(args: argparse.Namespace) -> Config:
    """The config with the command line's changes."""
    cfg = Config.fromfile(args.config)
    cfg.launcher = getattr(args, 'launcher', 'none')
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    if getattr(args, 'work_dir', None):
        cfg.work_dir = args.work_dir
    cfg.setdefault('work_dir', str(Path('work_dirs') / Path(args.config).stem))
    return cfg
