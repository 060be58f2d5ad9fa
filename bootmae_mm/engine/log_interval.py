"""How often a run logs."""

from mmengine.hooks import LoggerHook
from mmengine.runner import Runner


def log_interval(runner: Runner) -> int:
    """Iterations between two lines of the runner's log, as its ``LoggerHook`` has them."""
    return next(hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook))
