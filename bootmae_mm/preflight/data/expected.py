"""What a config expects of its data, for the checks of a folder."""

from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from .paths import build_empty, dataset_configs


def expectations(cfg: Config, kind: str) -> tuple[str | None, dict]:
    """The folder of a config's training set, and what the check of that kind (``coco``, ``ade20k``,
    ``imagenet`` or ``images``) is to expect in it, as its keywords.

    Raises:
        ValueError: If the config has no training set, or one of another kind.
    """
    found = {}
    for split in ('train', 'val'):
        loader = cfg.get(f'{split}_dataloader') or {}
        for _, dataset_cfg in dataset_configs(split, loader.get('dataset')):
            found.setdefault(split, dataset_cfg)
    if 'train' not in found:
        raise ValueError(
            'Expected a config with a training set, found none in train_dataloader; name a config '
            'of pretraining or of a task.'
        )
    try:
        return found['train'].get('data_root'), OPTIONS[kind](cfg, found)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f'Expected a config whose data is of the kind {kind!r}, found a '
            f'{found["train"]["type"]}; name the kind that it is.'
        ) from error


def _of_instances(cfg: Config, found: Mapping[str, Mapping]) -> dict:
    built = {split: build_empty(part, cfg.get('default_scope')) for split, part in found.items()}
    return dict(
        classes=built['train'].metainfo['classes'],
        with_mask=any(step.get('with_mask') for step in found['train']['pipeline']),
        splits={
            split: (Path(part.ann_file), Path(part.data_prefix['img']))
            for split, part in built.items()
        },
    )


def _of_label_maps(cfg: Config, found: Mapping[str, Mapping]) -> dict:
    built = build_empty(found['train'], cfg.get('default_scope'))
    return dict(
        num_classes=len(built.metainfo['classes']), reduce_zero_label=built.reduce_zero_label
    )


OPTIONS = {
    'coco': _of_instances,
    'ade20k': _of_label_maps,
    'imagenet': lambda cfg, found: dict(num_classes=cfg.model.head.num_classes),
    'images': lambda cfg, found: {},
}
