"""What a config says of its run, and whether a stored measurement is one of this config."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path

from mmengine.config import Config, ConfigDict

from ...engine.hooks import acts_in_steps, hook_list
from .arithmetic import Measurement, Recipe

# Published sizes of training sets, for plans made where the data is not; COCO's counts the pictures
# with objects.
PUBLISHED = {
    'UnlabelledImages': 1_281_167,
    'ImageFolders': 1_281_167,  # of a thousand classes
    'ImageNet': 1_281_167,
    'ADE20K': 20_210,
    'CocoDataset': 117_266,
    'CocoInstances': 117_266,
}


def recipe_of(cfg: Config, images: int) -> Recipe:
    """The recipe of a config for a training set of ``images``.

    Raises:
        ValueError: If the config does not train or states no total batch.
    """
    loop, loader = cfg.get('train_cfg') or {}, cfg.get('train_dataloader')
    if loader is None or not {'max_epochs', 'max_iters'} & loop.keys():
        raise ValueError(
            'Expected a config that trains, found no train_dataloader or no max_epochs or '
            'max_iters in its train_cfg; choose one of configs/pretrain, finetune, linear, seg or '
            'det.'
        )
    hooks = hook_list(cfg.get('custom_hooks'))
    totals = [hook.total_batch_size for hook in hooks if hook.type == 'TotalBatchHook']
    if not totals:
        raise ValueError(
            'Expected the total batch of the recipe, found no TotalBatchHook in custom_hooks; add '
            'dict(type="TotalBatchHook", total_batch_size=…).'
        )
    return Recipe(
        images=images,
        batch=loader.batch_size,
        total_batch=totals[0],
        epochs=loop.get('max_epochs'),
        iterations=loop.get('max_iters'),
        workers=loader.get('num_workers', 0),
        whole_steps=loader.sampler.type == 'EpochSampler',
        drop_last=loader.get('drop_last', False),
    )


def published_size(cfg: Config) -> int:
    """How many images the training set of a config has, according to its publishers.

    Raises:
        ValueError: If it is not one of the published sets.
    """
    dataset = cfg.train_dataloader.dataset
    classes = cfg.model.get('data_preprocessor', {}).get('num_classes')
    own = dataset.type == 'ImageFolders' and classes != 1000
    if own or dataset.type not in PUBLISHED:
        raise ValueError(
            f'Expected the training set at {dataset.get("data_root")!r} or one of '
            f'{", ".join(PUBLISHED)}, found no such folder and {dataset.type}, whose size is not '
            'known; set train_dataloader.dataset.data_root.'
        )
    return PUBLISHED[dataset.type]


def settings_of(cfg: Config) -> dict[str, object]:
    """What decides how long a step and the loading of an image take, ``{dotted name: value}``;
    pretrained weights do not."""
    wrapper = cfg.optim_wrapper
    settings = dict(
        model=cfg.model,
        dtype=wrapper.get('dtype', 'float32'),
        optimizer=wrapper.optimizer.type,
        custom_hooks=hooks_in_steps(cfg),
        pipeline=cfg.train_dataloader.dataset.pipeline,
    )
    plain = json.loads(json.dumps(settings, default=str))  # tuples become lists, as in a file
    return dict(_flat(plain))


def hooks_in_steps(cfg: Config) -> list[ConfigDict]:
    """The custom hooks that act in the steps."""
    return [hook for hook in hook_list(cfg.get('custom_hooks')) if acts_in_steps(hook.type)]


def _flat(value: object, name: str = '') -> Iterator[tuple[str, object]]:
    if not isinstance(value, Mapping | list) or not value:
        yield name, value
        return
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    for key, part in items:
        if key != 'init_cfg':
            yield from _flat(part, f'{name}.{key}'.lstrip('.'))


def save_measurement(measurement: Measurement, path: str) -> None:
    """Write a measurement as JSON."""
    Path(path).write_text(json.dumps(asdict(measurement), indent=1) + '\n')


def load_measurement(path: str, cfg: Config) -> Measurement:
    """A measurement that :func:`save_measurement` wrote.

    Raises:
        ValueError: If the file holds something else, or a measurement of another model, precision
            or pipeline than the config's.
    """
    names = {field.name for field in fields(Measurement)}
    try:
        content = json.loads(Path(path).read_text())
        measurement = Measurement(**content)
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError) as error:
        raise ValueError(
            f'Expected a measurement with {", ".join(sorted(names))} in {path!r}, found something '
            f'else ({error}); write it with --save.'
        ) from error
    wanted, found = settings_of(cfg), measurement.settings
    for name in [*wanted, *found]:
        if wanted.get(name) != found.get(name):
            raise ValueError(
                f'Expected a measurement of this config in {path!r}, found one with '
                f'{name}={found.get(name)!r} where the config has {wanted.get(name)!r}; measure '
                'again without --measured.'
            )
    return measurement
