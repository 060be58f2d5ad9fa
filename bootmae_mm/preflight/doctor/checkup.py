"""All points, one after the other; none hides the next."""

from collections.abc import Callable, Iterable, Iterator

from ..data.files import Finding
from .averages import check_averages
from .batch import check_batch, check_epoch
from .case import Case, in_words
from .data import check_data, check_pictures
from .disk import check_disk
from .metrics import check_class_numbers, check_metrics
from .parts import check_keys, check_model, check_pipelines, check_precision
from .schedule import check_schedule
from .step import check_step
from .versions import check_versions
from .weights import check_normalisation, check_weights
from .work_dir import check_work_dir

POINTS: dict[str, Callable[[Case], Iterator[Finding]]] = {
    'versions': check_versions,
    'config': check_keys,
    'model': check_model,
    'pipelines': check_pipelines,
    'precision': check_precision,
    'classes': check_class_numbers,
    'data': check_data,
    'pictures': check_pictures,
    'metrics': check_metrics,
    'total batch': check_batch,
    'epoch': check_epoch,
    'schedules': check_schedule,
    'averages': check_averages,
    'weights': check_weights,
    'normalisation': check_normalisation,
    'disk space': check_disk,
    'work_dir': check_work_dir,
    'one step': check_step,
}
# What a run asks of its own parts before it starts, at little cost.
OF_DATA = ('classes', 'data', 'metrics')
AT_START = (*OF_DATA, 'epoch', 'schedules', 'averages', 'normalisation')


def examine(case: Case, points: Iterable[str] = POINTS) -> Iterator[tuple[str, Finding]]:
    """Every finding with the name of its point, as soon as it is there.

    Args:
        case: The run.
        points: Names of the points to look at; all by default.
    """
    for name in points:
        for finding in look(case, name):
            if finding.level == 'error':
                case.wrong.add(name)
            yield name, finding


def look(case: Case, name: str) -> Iterator[Finding]:
    """The findings of one point."""
    try:
        yield from POINTS[name](case)
    except Exception as error:  # a config may be wrong in a way that breaks any of the points
        yield Finding('error', in_words(error))
