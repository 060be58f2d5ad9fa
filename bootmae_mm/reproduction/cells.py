"""What a table of the paper is made of."""

from typing import NamedTuple


class Metric(NamedTuple):
    """How a score is called, its name in mmengine's log, the factor that gives the table's unit,
    and that unit."""

    title: str
    key: str
    factor: float
    unit: str


TOP1 = Metric('fine-tuned', 'accuracy/top1', 1, '% top-1')
LINEAR = Metric('linear', 'accuracy/top1', 1, '% top-1')
MIOU = Metric('mIoU', 'mIoU', 1, 'mIoU')
BOX = Metric('box AP', 'coco/bbox_mAP', 100, 'box AP')
MASK = Metric('mask AP', 'coco/segm_mAP', 100, 'mask AP')
SECONDS = Metric('seconds', 'time', 1, 's')


class Score(NamedTuple):
    """A number of the paper.

    Args:
        metric: What is measured.
        paper: The paper's value; None where its text states none.
        config: Path below ``configs/`` without ``.py``; None for a number that the paper quotes
            from elsewhere and that no config of ours stands for.
    """

    metric: Metric
    paper: float | None
    config: str | None


class Row(NamedTuple):
    """A row: its first cells, and its scores."""

    cells: tuple[str, ...]
    scores: tuple[Score, ...]


class Table(NamedTuple):
    """A table: its name ('4a', 'fig3'), title, the headers of the first cells, rows, and what has
    to be said of it. Row ``reference`` is the one that the others are compared with; ``beyond``
    marks a table that is not the paper's."""

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    reference: int = -1
    note: str = ''
    beyond: bool = False
