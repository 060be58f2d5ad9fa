"""What the command lines that take a config have in common."""

import argparse
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config, DictAction

from . import shipped

PACKAGE = Path(__file__).parent


class Settings(DictAction):
    """``KEY=VALUE ...`` into a dictionary."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Told by argparse what stands behind the option."""
        for text in values:
            if not text.partition('=')[1]:
                raise argparse.ArgumentError(
                    self, f'expected KEY=VALUE without spaces, found {text!r}'
                )
            try:
                super().__call__(parser, namespace, [text], option_string)
            except AssertionError as error:
                raise argparse.ArgumentError(
                    self, f'expected a value with brackets in pairs, found {text!r}'
                ) from error


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


def config_path(name: str) -> str:
    """The path of a config, see :func:`bootmae_mm.shipped.find_config`, as a type of argparse."""
    try:
        return shipped.find_config(name, shipped.folder())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def read_config(path: str) -> Config:
    """The config in a file.

    Raises:
        ValueError: If it is none, its syntax is wrong, or a config or key it is based on is not
            there.
    """
    try:
        return Config.fromfile(path)
    except FileNotFoundError as error:
        raise ValueError(
            f'Expected all configs that {path!r} is based on, found one missing ({error}); correct '
            '_base_.'
        ) from error
    except SyntaxError as error:
        line = (error.text or '').strip()
        raise ValueError(
            f'Expected Python in {path!r} and the configs it is based on, found an error in line '
            f'{error.lineno}, {line!r} ({error.msg}); correct it.'
        ) from error
    except KeyError as error:  # as where hooks, which have names, are counted
        raise ValueError(
            f'Expected keys that are there in {path!r} and the configs it is based on, found '
            f'{error}; correct it (hooks go by name: custom_hooks = dict(NAME=dict(…))).'
        ) from error
    except (OSError, ValueError) as error:
        raise ValueError(
            f'Expected a config, found {path!r} ({error}); give a .py, .json or .yaml file.'
        ) from error


def load_config(args: argparse.Namespace) -> Config:
    """The config with the command line's changes.

    Raises:
        ValueError: As :func:`read_config`, or if a change does not fit the config.
    """
    from . import registration  # noqa: F401  (late: it takes seconds, and a wrong option none)

    cfg = read_config(args.config)
    cfg.launcher = getattr(args, 'launcher', 'none')
    if args.cfg_options:
        try:
            cfg.merge_from_dict(args.cfg_options)
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
