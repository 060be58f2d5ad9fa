"""From a config to its plan."""

from copy import deepcopy

from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from .arithmetic import Measurement, Plan, Recipe, accumulated, make_plan
from .measuring import Progress, data_is_there, measure
from .recipe import load_measurement, published_size, recipe_of


def plan_run(
    cfg: Config, gpus: int, stored: str | None, batch: int | None, progress: Progress
) -> tuple[Recipe, Measurement, Plan]:
    """Plan the run of a config.

    Args:
        cfg: The config; it is not changed.
        gpus: Number of GPUs of the run.
        stored: File of a measurement; None to measure here.
        batch: Images to measure with, see :func:`bootmae_mm.preflight.planning.measuring.measure`.
        progress: Called with a line about what is going on.

    Raises:
        ValueError: If the config does not train, the recipe's total batch cannot be kept, the
            stored measurement is of another config, or measuring fails.
    """
    there = data_is_there(cfg)
    accumulated(recipe_of(cfg, images=0), gpus)  # what may be wrong, before what takes time
    if stored is None:
        images = None if there else published_size(cfg)
        measurement = measure(cfg, batch, progress)
    else:
        measurement = load_measurement(stored, cfg)
        images = training_set_size(cfg) if there else None
    recipe = recipe_of(cfg, images or measurement.images or published_size(cfg))
    return recipe, measurement, make_plan(recipe, measurement, gpus)


def training_set_size(cfg: Config) -> int:
    """Images in the training set."""
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        return len(DATASETS.build(deepcopy(cfg.train_dataloader.dataset)))
