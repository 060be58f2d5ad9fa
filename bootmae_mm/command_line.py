"""What the command lines that take a config have in common."""

import argparse
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config

from . import shipped

PACKAGE = Path(__file__).parent


class Settings(argparse.Action):
    """``KEY=VALUE ...`` into a dictionary of texts."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Told by argparse what stands behind the option."""
        options = dict(getattr(namespace, self.dest) or {})
        for text in values:
            key, sign, value = text.partition('=')
            if not (key and sign):
                raise argparse.ArgumentError(
                    self, f"expected KEY=VALUE, with spaces as 'KEY=a b', found {text!r}"
                )
            options[key] = value
        setattr(namespace, self.dest, options)


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """CONFIG and ``--cfg-options``."""
    parser.add_argument(
        'config', type=config_path, help="path of the config, or the name of one of the package's"
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=Settings,
        metavar='KEY=VALUE',
        help='settings to override, e.g. train_dataloader.batch_size=128: what is text in the '
        'config stays text; otherwise numbers, True, None, [a,b], (a,b), {"a": 1}; with quotes of '
        'its own, KEY="\'2023\'", any value is text',
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


def config_path(name: str) -> str:
    """The path of a config, see :func:`bootmae_mm.shipped.find_config`, as a type of argparse."""
    try:
        return shipped.find_config(name, shipped.folder())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def read_config(path: str) -> Config:
    """The config in a file.

    Raises:
        ValueError: If it cannot be read, or has a variable that would be without effect.
    """
    # Late: a wrong option is told at once.
    from .preflight.config.lost import refuse_lost_variables
    from .preflight.config.reading import read_config

    cfg = read_config(path)
    refuse_lost_variables(path, cfg)
    return cfg


def load_config(args: argparse.Namespace) -> Config:
    """The config with the command line's changes.

    Raises:
        ValueError: As :func:`read_config`, or if a change does not fit the config.
    """
    # Late: it takes seconds, and a wrong option none.
    from . import registration  # noqa: F401
    from .preflight.config.lost import refuse_lost_options
    from .preflight.config.options import merge_options

    cfg = read_config(args.config)
    cfg.launcher = getattr(args, 'launcher', 'none')
    if args.cfg_options:
        refuse_lost_options(cfg, args.cfg_options)
        try:
            merge_options(cfg, args.cfg_options)
        except AttributeError as error:
            raise ValueError(
                f'Expected --cfg-options that fit {args.config!r}, found a single item of a list; '
                'give the whole list, KEY=[…].'
            ) from error
        except (KeyError, TypeError) as error:
            raise ValueError(
                f'Expected --cfg-options that fit {args.config!r}, found others '
                f'({error.args[0]}); correct them.'
            ) from error
    if getattr(args, 'work_dir', None):
        cfg.work_dir = args.work_dir
    cfg.setdefault('work_dir', str(Path('work_dirs') / Path(args.config).stem))
    return cfg


@contextmanager
def user_errors(launcher: str = 'none') -> Iterator[None]:
    """Within it, a ``ValueError`` of this package ends the tool with one line and status 2.

    Those of other libraries pass, as they need their traceback; so do those of a launcher's
    processes, of which :func:`.engine.distributed.report_failures` tells the other processes.
    """
    try:
        yield
    except ValueError as error:
        if launcher != 'none' or not is_ours(error):
            raise
        sys.stderr.write(f'{Path(sys.argv[0]).name}: error: {error}\n')
        sys.exit(2)


def is_ours(error: BaseException) -> bool:
    """Whether this package raised an error, or the one it replaces (mmengine's registries raise
    those of constructors anew)."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    ours = Path(frame.f_code.co_filename).is_relative_to(PACKAGE)
    ours |= type(error).__module__.startswith(f'{__package__}.')  # also out of a loader's worker
    return ours or (error.__context__ is not None and is_ours(error.__context__))
