"""Numbers that settings of these names can have, in whichever class they are."""

from collections.abc import Iterator, Mapping

from .annotations import NUMBER, TEXT, kind_of

AT_LEAST_1, NOT_NEGATIVE, POSITIVE = 'at least 1', 'at least 0', 'above 0'
SHARE = 'from 0 to 1'
HOLDS = {
    AT_LEAST_1: lambda x: x >= 1,
    NOT_NEGATIVE: lambda x: x >= 0,
    POSITIVE: lambda x: x > 0,
    SHARE: lambda x: 0 <= x <= 1,
}
RANGES = {
    **dict.fromkeys(
        ('batch_size', 'max_epochs', 'max_iters', 'val_interval', 'accumulative_counts'), AT_LEAST_1
    ),
    **dict.fromkeys(
        ('total_batch_size', 'patch_size', 'img_size', 'embed_dims', 'num_layers'), AT_LEAST_1
    ),
    **dict.fromkeys(('num_heads', 'num_classes', 'num_masks', 'depth'), AT_LEAST_1),
    **dict.fromkeys(('num_workers', 'weight_decay', 'eta_min'), NOT_NEGATIVE),
    **dict.fromkeys(('lr', 'window_size', 'layer_decay_rate'), POSITIVE),
    **dict.fromkeys(
        ('prob', 'erase_prob', 'flip_prob', 'drop_path_rate', 'drop_rate', 'dropout_ratio'), SHARE
    ),
    **dict.fromkeys(('mask_ratio', 'fraction', 'ramp', 'label_smooth_val'), SHARE),
}


def range_problems(setting: str, part: Mapping) -> Iterator[str]:
    """A sentence for every number of a part that is out of its range, or is text."""
    for name, value in part.items():
        wanted, kind = RANGES.get(name), kind_of(value)
        if wanted is None or kind not in (NUMBER, TEXT):
            continue
        where = f'{setting}.{name}'.lstrip('.')
        if kind == TEXT:
            yield f'Expected a number as {where}, found the text {value!r}; {as_number(value)}.'
        elif not HOLDS[wanted](value):
            yield f'Expected {where} to be {wanted}, found {value!r}; change it.'


def as_number(text: str) -> str:
    """What to write instead of a number in quotes."""
    try:
        float(text)
    except ValueError:
        return 'give a number'
    return f'write {text} without quotes'
