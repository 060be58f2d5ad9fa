"""All points, one after the other; none hides the next."""

from collections.abc import Callable, Iterable, Iterator

from ..data.files import Finding
from .batch import check_batch
from .case import Case, in_words
from .data import check_data
from .disk import check_disk
from .parts import check_keys, check_model, check_pipelines, check_precision
from .schedule import check_schedule
from .step import check_step
from .versions import check_versions
from .weights import check_weights
from .work_dir import check_work_dir

POINTS: dict[str, Callable[[Case], Iterator[Finding]]] = {
    'versions': check_versions,
    'config': check_keys,
    'model': check_model,
    'pipelines': check_pipelines,
    'precision': check_precision,
    'data': check_data,
    'total batch': check_batch,
    'schedules': check_schedule,
    'weights': check_weights,
    'disk space': check_disk,
    'work_dir': check_work_dir,
    'one step': check_step,
}


def examine(case: Case, points: Iterable[str] = POINTS) -> Iterator[tuple[str, Finding]]:
    """Every finding with the name of its point, as soon as it is there.

    Args:
        case: The run.
        points: Names of the points to look at; all by default.
    """
    for name in points:
        try:
            for finding in POINTS[name](case):
                yield name, finding
        except Exception as error:  # a config may be wrong in a way that breaks any of the points
            yield name, Finding('error', in_words(error))
