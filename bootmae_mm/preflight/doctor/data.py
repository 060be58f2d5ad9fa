"""Whether the data is where the config says."""

from collections.abc import Iterator
from pathlib import Path

from mmengine.config import ConfigDict
from mmengine.registry import DATA_SAMPLERS, DATASETS

from ..data.files import Finding, spot_check
from ..data.paths import check_config_paths
from .case import Case

SAMPLE = 8


def check_data(case: Case) -> Iterator[Finding]:
    """Folders, lists and annotation files of all splits, and a few pictures of a plain folder."""
    for split in ('train', 'val', 'test'):
        dataset = (case.cfg.get(f'{split}_dataloader') or {}).get('dataset')
        if not dataset or (split == 'test' and dataset == case.cfg.val_dataloader.dataset):
            continue
        try:
            check_config_paths(case.cfg, [split])
            if dataset.type == 'UnlabelledImages':
                yield from check_folder(case, dataset)
            else:
                yield Finding('ok', f'{split}: {dataset.get("data_root") or dataset.type}.')
        except ValueError as error:
            yield Finding('error', f'{split}: {error}')


def check_folder(case: Case, dataset: ConfigDict) -> Iterator[Finding]:
    """A folder of pictures, and whether it holds a total batch.

    Raises:
        ValueError: If there is no folder, it holds no picture, or less than a total batch.
    """
    with case.scope():
        pictures = DATASETS.build(ConfigDict(dataset, pipeline=[]))
        DATA_SAMPLERS.build(
            case.cfg.train_dataloader.sampler, default_args=dict(dataset=pictures, seed=0)
        )
    yield Finding('ok', f'train: {len(pictures):,} pictures in {dataset.data_root!r}.')
    yield from spot_check(
        'train', [Path(pictures.get_data_info(i)['img_path']) for i in range(len(pictures))], SAMPLE
    )
