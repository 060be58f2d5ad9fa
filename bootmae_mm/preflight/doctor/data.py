"""Whether the data sets can be built, and hold what the run needs."""

from collections.abc import Iterator

from torch import nn

from ...data.unreadable import ReplacesUnreadable
from ...engine.datasets import parts
from ..data.datasets import check_dataset, check_same_classes
from ..data.files import Finding, evenly_spaced, spot_check
from .case import Case, in_words

SAMPLE, SECONDS = 500, 3.0  # pictures of a split that are decoded, and for how long


def check_data(case: Case) -> Iterator[Finding]:
    """Folders, lists and annotations of all splits against the model."""
    model = nn.Identity() if case.model is None else case.model
    for split, dataset in case.datasets.items():
        yield from (Finding('warning', f'{split}: {r}') for r in case.remarks.get(split, ()))
        if isinstance(dataset, Exception):
            yield Finding('error', f'{split}: {in_words(dataset)}')
            continue
        try:
            yield from check_dataset(dataset, model, split)
        except ValueError as error:
            yield Finding('error', str(error))
            continue
        roots = [getattr(part, 'data_root', None) for part in parts(dataset)]
        source = next(filter(None, roots), None)
        where = f' in {source!r}' if source else ''
        yield Finding('ok', f'{split}: {len(dataset):,} pictures{where}.')
    yield from same_classes(case)


def same_classes(case: Case) -> Iterator[Finding]:
    """Whether train and val set number their classes alike."""
    both = [case.datasets.get(split) for split in ('train', 'val')]
    if not any(dataset is None or isinstance(dataset, Exception) for dataset in both):
        try:
            check_same_classes(*both)
        except ValueError as error:
            yield Finding('error', str(error))


def check_pictures(case: Case) -> Iterator[Finding]:
    """Decode a sample of every split's pictures, all of a small set's."""
    for split, dataset in case.datasets.items():
        paths = [] if isinstance(dataset, Exception) else some_pictures(dataset)
        if paths:
            replaced = split == 'train' and replaces_unreadable(dataset)
            yield from spot_check(split, paths, SAMPLE, replaced, SECONDS)


def some_pictures(dataset) -> list[str]:
    """Paths of pictures on local disks, at equal distances in the data set."""
    paths = []
    for part in parts(dataset):
        if hasattr(part, 'get_data_info') and not getattr(part, 'backend_args', None):
            indices = evenly_spaced(range(len(part)), SAMPLE)
            paths += [part.get_data_info(index).get('img_path', '://') for index in indices]
    return [path for path in paths if '://' not in path]


def replaces_unreadable(dataset) -> bool:
    """Whether training goes on without a file that cannot be read, and counts it."""
    return all(isinstance(part, ReplacesUnreadable) for part in parts(dataset))
