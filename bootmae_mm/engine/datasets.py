"""Data sets inside wrappers such as ``ConcatDataset``, and their files that cannot be read."""

from collections.abc import Iterator, Mapping


def parts(dataset) -> Iterator:
    """The data sets proper: those inside a wrapper, or the data set itself."""
    inner = getattr(dataset, 'datasets', None)
    if inner is None and hasattr(dataset, 'dataset'):
        inner = [dataset.dataset]
    if inner is None:
        yield dataset
    else:
        for part in inner:
            yield from parts(part)


def skipped_files(batch: Mapping) -> list[tuple[str, str]]:
    """Path and reason of the files in whose place a batch has others."""
    issues = (i for sample in batch['data_samples'] for i in sample.get('image_issues', ()))
    return sorted({(path, why) for path, what, why in issues if what == 'skipped'})


def replace_nothing(dataset) -> None:
    """Put a data set into mmengine's test mode, so that a number is measured on all of it: a file
    that cannot be read is an error, and nothing takes its place."""
    for part in parts(dataset):
        if hasattr(part, 'test_mode'):
            part.test_mode = True
