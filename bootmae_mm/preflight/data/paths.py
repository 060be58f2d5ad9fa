"""Paths and annotation files that a config names, before anything is built from it.

Data sets are built before hooks run, and the errors of the toolboxes at that point seldom name the
cause ("need at least one array to concatenate" for a list without entries).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DATASETS

from ...data.coco_file import category_ids, read_instances
from ...data.files import is_hidden, some
from .coco import content_findings

TOOL = 'python tools/check_data.py shows the layout to have'


def check_config_paths(cfg: Config, splits: Sequence[str] = ('train', 'val')) -> None:
    """Check that the data of a config is where it says, and that lists and annotation files are
    well formed.

    Looks at data sets of mmpretrain (``CustomDataset``, ``ImageNet``), mmseg and mmdet, also inside
    wrappers, and at the annotation files of evaluators; others say themselves what they miss.
    Reading COCO's annotations takes some seconds.

    Args:
        cfg: The whole config.
        splits: Which of 'train', 'val' and 'test' the run is going to use.

    Raises:
        ValueError: At the first thing that is missing or malformed, naming setting and path.
    """
    for split in splits:
        loader = cfg.get(f'{split}_dataloader') or {}
        for setting, dataset_cfg in dataset_configs(
            f'{split}_dataloader.dataset', loader.get('dataset')
        ):
            dataset = build_empty(dataset_cfg, cfg.get('default_scope'))
            if dataset is not None and not getattr(dataset, 'backend_args', None):
                _check_places(setting, dataset)
                CHECKS[_loader_name(type(dataset))](setting, dataset)
        evaluators = cfg.get(f'{split}_evaluator') or []
        for evaluator in [evaluators] if isinstance(evaluators, Mapping) else evaluators:
            if isinstance(evaluator, Mapping) and evaluator.get('ann_file'):
                _check_file(f'{split}_evaluator.ann_file', evaluator['ann_file'])


def dataset_configs(setting: str, cfg) -> Iterator[tuple[str, dict]]:
    """The configs of data sets proper inside those of wrappers."""
    if not isinstance(cfg, Mapping):
        return
    if 'dataset' in cfg:
        yield from dataset_configs(f'{setting}.dataset', cfg['dataset'])
    elif 'datasets' in cfg:
        for index, inner in enumerate(cfg['datasets']):
            yield from dataset_configs(f'{setting}.datasets[{index}]', inner)
    else:
        yield setting, cfg


def build_empty(dataset_cfg: Mapping, scope: str | None):
    """The data set with its own idea of its paths, but nothing loaded; None for a kind that is not
    known here."""
    kind = dataset_cfg['type']
    if isinstance(kind, str):
        with DATASETS.switch_scope_and_registry(scope) as registry:
            kind = registry.get(kind)
    if _loader_name(kind) not in CHECKS:
        return None
    settings = {name: value for name, value in dataset_cfg.items() if name != 'type'}
    return kind(**{**settings, 'pipeline': [], 'lazy_init': True})


def _loader_name(kind: type | None) -> str:
    return getattr(getattr(kind, 'load_data_list', None), '__qualname__', '')


def _check_places(setting: str, dataset) -> None:
    if dataset.data_root:
        _check_folder(f'{setting}.data_root', dataset.data_root)
    for key, folder in dataset.data_prefix.items():
        if folder:
            _check_folder(f'{setting}.data_prefix, {key!r},', folder)
    if dataset.ann_file:
        _check_file(f'{setting}.ann_file', dataset.ann_file)


def _check_folder(setting: str, path: str) -> None:
    if '://' not in path and not os.path.isdir(path):
        raise ValueError(f'Expected a folder where {setting} says, found none at {path!r}; {TOOL}.')


def _check_file(setting: str, path: str) -> None:
    if '://' not in path and not os.path.isfile(path):
        raise ValueError(f'Expected a file where {setting} says, found none at {path!r}; {TOOL}.')


def _has_file(folder: str, extensions: Sequence[str]) -> bool:
    """Whether there is such a file in the folder or below; stops at the first one."""
    return any(
        name.lower().endswith(tuple(extensions))
        for _, _, names in os.walk(folder, followlinks=True)
        for name in names
    )


def _check_image_list(setting: str, dataset) -> None:
    """mmpretrain's list of images and labels, or its class folders."""
    folder = dataset.data_prefix['img_path']
    if dataset.ann_file:
        _check_lines(setting, dataset)
    elif dataset.with_label:
        classes = [entry.path for entry in os.scandir(folder) if entry.is_dir()]
        hidden = [path for path in classes if is_hidden(os.path.basename(path))]
        if hidden and not getattr(dataset, 'takes_keys', False):
            raise ValueError(
                f'Expected folders of classes in {folder!r}, found {some(hidden)}, which '
                f'{type(dataset).__name__} would count as a class; remove it, or set '
                f"type='ImageFolders' for {setting}, which leaves it out."
            )
        classes = [path for path in classes if path not in hidden]
        if not any(_has_file(path, dataset.extensions) for path in classes):
            raise ValueError(
                f'Expected images in class folders, as {setting} has no ann_file, found '
                f'{len(classes)} folders without an image in {folder!r}; {TOOL}.'
            )
        known = dataset.metainfo.get('classes')
        if known is not None and len(known) != len(classes):
            raise ValueError(
                f'Expected a folder for each of the {len(known)} classes that {setting} has, found '
                f'{len(classes)} in {folder!r}: {some(sorted(map(os.path.basename, classes)))}; '
                "for classes of your own set dataset=dict(_delete_=True, type='CustomDataset', "
                f'data_root=…, data_prefix=…, pipeline=…) and num_classes={len(classes)} in '
                'model.head and model.data_preprocessor.'
            )


def _check_lines(setting: str, dataset) -> None:
    lines = Path(dataset.ann_file).read_text().splitlines()
    if not lines:
        raise ValueError(
            f'Expected a line for every image in {dataset.ann_file!r}, which {setting}.ann_file '
            'names, found an empty file; write the list again.'
        )
    for number, line in enumerate(lines, start=1):
        image, _, label = line.strip().rpartition(' ')
        if dataset.with_label and not (image and label.lstrip('-').isdecimal()):
            raise ValueError(
                f'Expected "<image> <label number>" in every line of {dataset.ann_file!r}, found '
                f'{line!r} in line {number}; correct the list that {setting}.ann_file names.'
            )


def _check_label_maps(setting: str, dataset) -> None:
    """mmseg's folder of images, or its list of names."""
    if dataset.ann_file:
        if not Path(dataset.ann_file).read_text().strip():
            raise ValueError(
                f'Expected names of images in {dataset.ann_file!r}, which {setting}.ann_file '
                'names, found an empty file; write the list again.'
            )
    elif not _has_file(dataset.data_prefix['img_path'], [dataset.img_suffix.lower()]):
        raise ValueError(
            f'Expected images whose names end in {dataset.img_suffix!r} in '
            f'{dataset.data_prefix["img_path"]!r}, found none; correct img_suffix or data_prefix '
            f'of {setting}.'
        )


def _check_instances(setting: str, dataset) -> None:
    """COCO's annotations."""
    content = read_instances(dataset.ann_file, labelled=not setting.startswith('test')).content
    errors = [f.sentence for f in content_findings(content) if f.level == 'error']
    if errors:
        raise ValueError(f'{dataset.ann_file}: {errors[0]}')
    category_ids(content, dataset.metainfo.get('classes', ()), dataset.ann_file)


# What reads a data set's files, and how these are checked; subclasses with a reader of their own
# are left to it.
CHECKS = {
    'CustomDataset.load_data_list': _check_image_list,
    'ImageFolders.load_data_list': _check_image_list,
    'BaseSegDataset.load_data_list': _check_label_maps,
    'SegmentationFolders.load_data_list': lambda setting, dataset: None,  # it says so itself
    'CocoDataset.load_data_list': _check_instances,
    'CocoInstances.load_data_list': _check_instances,
}
