"""Training as a config says, and going on with a run: what tools/train.py does."""

import sys
from contextlib import nullcontext

from mmengine.config import Config

from .engine.build import build_runner, is_first_process, leave_process_group
from .engine.resume import TrainingStopped
from .engine.run_files import checkpoints
from .engine.run_lock import only_run
from .preflight.config.check import check_config
from .preflight.data.paths import check_config_paths
from .preflight.start import check_before_training


def train(cfg: Config) -> None:
    """Train as ``cfg`` says, and leave the process group properly.

    Raises:
        ValueError: If ``cfg`` has keys or values that nothing knows, data that it names is missing
            or malformed, its parts do not fit each other, or another run is going on in its work
            directory.
        TrainingStopped: A ``SystemExit``, if a signal ended the run before its time.
    """
    if is_first_process():
        check_config(cfg)
        check_config_paths(cfg)
    code = None
    try:
        with only_run(cfg.work_dir) if is_first_process() else nullcontext():
            _run(cfg)
    except TrainingStopped as stop:
        code = stop.code
    leave_process_group()
    if code is not None:
        sys.exit(code)


def _run(cfg: Config) -> None:
    runner = build_runner(cfg)
    check_before_training(runner, cfg)
    runner.train()


def resume_if_possible(cfg: Config, checkpoint: str | None = None) -> None:
    """Have a run go on from a checkpoint; or from the newest one of its work directory, and where
    there is none, begin."""
    if checkpoint or checkpoints(cfg.work_dir):
        cfg.resume, cfg.load_from = True, checkpoint
