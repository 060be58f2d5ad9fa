"""Numbers of classes within the model, and what the metrics of an evaluation need."""

from collections.abc import Iterator

from torch import nn

from ...data.files import some
from ...engine.datasets import parts
from ..data.datasets import head_classes
from ..data.files import Finding
from .case import Case, in_words

LOSSES = ('loss_module', 'loss_cls', 'loss_decode')


def check_class_numbers(case: Case) -> Iterator[Finding]:
    """Heads, their losses, and what mixes labels."""
    if case.model is None:
        return
    heads = head_classes(case.model)
    numbers = heads | dict(other_numbers(case.model, heads))
    listed = ', '.join(f'{name}.num_classes={number}' for name, number in numbers.items())
    if len(set(numbers.values())) > 1:
        yield Finding(
            'error',
            f'Expected one number of classes in the model, found {listed}; set all of them to the '
            'number of your classes.',
        )
    elif numbers:
        yield Finding('ok', f'{listed}.')


def other_numbers(model: nn.Module, heads: dict[str, int]) -> Iterator[tuple[str, int]]:
    """Where else a model has a number of classes: what makes labels one-hot, and losses."""
    for name in ('data_preprocessor', *(f'{head}.{loss}' for head in heads for loss in LOSSES)):
        part = model
        for attribute in name.split('.'):
            part = part[int(attribute)] if attribute.isdigit() else getattr(part, attribute, None)
        number = getattr(part, 'num_classes', None)
        if heads and isinstance(number, int):
            yield name, number


def check_metrics(case: Case) -> Iterator[Finding]:
    """Whether every metric can be computed from the model's outputs for the data set."""
    for split, evaluator in case.evaluators.items():
        if isinstance(evaluator, Exception):
            yield Finding('error', f'{split}_evaluator: {in_words(evaluator)}')
            continue
        for metric in evaluator.metrics:
            problems = list(metric_problems(case, split, metric))
            yield from (Finding('error', sentence) for sentence in problems)
            if not problems:
                yield Finding('ok', f'{split}: {type(metric).__name__}.')


def metric_problems(case: Case, split: str, metric) -> Iterator[str]:
    """What a metric asks for that is not there."""
    setting, model = f'{split}_evaluator', case.model
    for head, number in head_classes(nn.Identity() if model is None else model).items():
        topk = getattr(metric, 'topk', None)
        most = max(topk) if isinstance(topk, tuple | list) else topk
        if most is not None and most > number:
            yield (
                f'Expected {setting}.topk to be at most {number}, as {head}.num_classes is, found '
                f'{most}; set {setting}.topk=1.'
            )
        own = getattr(metric, 'num_classes', None)
        if isinstance(own, int) and own != number:
            yield (
                f'Expected {setting}.num_classes to be {number}, as {head}.num_classes is, found '
                f'{own}; set {setting}.num_classes={number}.'
            )
    if 'segm' in (getattr(metric, 'metrics', None) or ()) and not getattr(model, 'with_mask', True):
        yield (
            f"Expected {setting}.metric without 'segm', as the model has no mask head, found "
            f'{metric.metrics}; set {setting}.metric=bbox.'
        )
    yield from unknown_pictures(case, split, metric)


def unknown_pictures(case: Case, split: str, metric) -> Iterator[str]:
    """Pictures that COCO's metric has no annotations for, as those are in a file of its own."""
    api, dataset = getattr(metric, '_coco_api', None), case.datasets.get(split)
    if api is None or dataset is None or isinstance(dataset, Exception):
        return
    infos = (part.get_data_info(i) for part in parts(dataset) for i in range(len(part)))
    unknown = [info['img_path'] for info in infos if info.get('img_id') not in api.imgs]
    if unknown:
        yield (
            f'Expected every picture of the {split} data set in {split}_evaluator.ann_file, found '
            f'{len(unknown):,} that are not: {some(unknown)}; name the same file in both.'
        )
