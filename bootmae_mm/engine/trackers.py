"""Sending what a run logs to a tracker as well, by mmengine's own backends."""

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from mmengine.config import Config
from mmengine.registry import VISBACKENDS
from mmengine.visualization import MLflowVisBackend

# Name on the command line: mmengine's backend, and the package that it needs.
TRACKERS = {
    'tensorboard': ('TensorboardVisBackend', 'tensorboard'),
    'wandb': ('WandbVisBackend', 'wandb'),
    'mlflow': ('MLflowImagesVisBackend', 'mlflow'),
}


@VISBACKENDS.register_module()
class MLflowImagesVisBackend(MLflowVisBackend):
    """mmengine's, whose pictures have no ending, which MLflow refuses, and which at the end copies
    its own store into itself."""

    def __init__(self, *args, artifact_suffix: tuple[str, ...] = ('.log',), **kwargs) -> None:
        super().__init__(*args, artifact_suffix=artifact_suffix, **kwargs)

    def add_image(self, name: str, image: np.ndarray, step: int = 0, **kwargs) -> None:
        """Record uint8 RGB."""
        super().add_image(f'{name}_{step}.png', image, step, **kwargs)


def use_trackers(cfg: Config, names: Sequence[str]) -> None:
    """Have a run logged to trackers, beside the files in its ``work_dir``.

    Args:
        cfg: The config; one that has a tracker already, with settings of its own, keeps them.
        names: Keys of ``TRACKERS``.

    Raises:
        ValueError: If a tracker's package is not installed.
    """
    backends = cfg.visualizer.setdefault('vis_backends', [dict(type='LocalVisBackend')])
    for name in names:
        kind, package = TRACKERS[name]
        if find_spec(package) is None:
            raise ValueError(
                f'Expected the package {package} for the tracker {name}, found none; install it: '
                f'pip install {package}.'
            )
        if kind not in [backend['type'] for backend in backends]:
            backends.append(dict(type=kind))
