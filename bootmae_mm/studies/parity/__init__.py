"""Comparison with numbers computed by the authors' release.

Checks yield :class:`~.golden.Row` s; nothing here knows how they are printed.
"""

from pathlib import Path

from .golden import Golden, Row
from .pretraining import compare_pretraining
from .transfer import compare_classifier, compare_dense

__all__ = ['Golden', 'Row', 'compare']


def compare(path: str | Path, device: str = 'cpu') -> list[Row]:
    """All comparisons that a golden file allows, of what ``device`` computes.

    Raises:
        ValueError: If the file is not in the golden format, or of a kind that is not handled.
    """
    golden = Golden(path, device)
    kinds = {
        'steps': compare_pretraining,
        'num_classes': compare_classifier,
        'out_indices': compare_dense,
    }
    checks = [check for key, check in kinds.items() if key in golden.meta]
    if len(checks) != 1:
        raise ValueError(
            f'Expected a golden file with one of {", ".join(kinds)} in its meta_json, found '
            f'{", ".join(golden.meta)} in {path}.'
        )
    try:
        return list(checks[0](golden))
    except KeyError as error:
        raise ValueError(f'Expected {error} in the golden file {path}, found none.') from error
