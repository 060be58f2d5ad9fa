"""What a table of the paper is made of."""

from typing import NamedTuple

from .runs import Run


class Metric(NamedTuple):
    """How a score is called, its names in mmengine's log, of which the last that a run has counts
    (none for what is computed from others), the factor that gives the table's unit, that unit, and
    how many decimals are shown."""

    title: str
    keys: tuple[str, ...]
    factor: float
    unit: str
    digits: int = 1

    @property
    def heading(self) -> str:
        """What stands above a column of it."""
        return self.title if self.unit == self.title else f'{self.title}, {self.unit}'


TOP1 = Metric('fine-tuned', ('accuracy/top1',), 1, '% top-1')


def of_block(name: str) -> tuple[str, ...]:
    """A score in closed form, of block 10 of 12, which is block 5 of 6."""
    return tuple(f'accuracy/block_{block}{name}/top1' for block in (5, 10))


LINEAR = Metric('linear', ('accuracy/top1', *of_block('')), 1, '% top-1')
LINEAR_10 = Metric('linear, 10 % of labels', of_block('_labels_0.1'), 1, '%')
LINEAR_1 = Metric('linear, 1 % of labels', of_block('_labels_0.01'), 1, '%')
NEIGHBOURS = Metric('neighbours', ('accuracy/knn/top1',), 1, '%')
MIOU = Metric('mIoU', ('mIoU',), 1, 'mIoU')
BOX = Metric('box AP', ('coco/bbox_mAP',), 100, 'box AP')
MASK = Metric('mask AP', ('coco/segm_mAP',), 100, 'mask AP')
MEAN_ACCURACY = Metric('mAcc', ('mAcc',), 1, 'mAcc', 2)
PIXEL_ACCURACY = Metric('aAcc', ('aAcc',), 1, 'aAcc', 2)
SECONDS = Metric('seconds', ('time',), 1, 's', 3)
SPEED_UP = Metric('speed-up', (), 1, '×', 2)
HOURS = Metric('hours of pretraining', (), 1, 'h', 2)


class Score(NamedTuple):
    """A number of the paper.

    Args:
        metric: What is measured.
        paper: The paper's value; None where its text states none.
        run: The full run that gives it; None for a number that the paper quotes from elsewhere and
            that no config of ours stands for.
        over: The run whose seconds a speed-up divides by those of ``run``.
    """

    metric: Metric
    paper: float | None
    run: Run | None
    over: Run | None = None


class Row(NamedTuple):
    """A row: its first cells, and its scores."""

    cells: tuple[str, ...]
    scores: tuple[Score, ...]


class Table(NamedTuple):
    """A table of the paper, or one more of ours.

    Args:
        name: Name of the table on the command line: '4a', 'fig3', 'sec4.3'.
        title: What it shows.
        header: Headers of the first cells.
        rows: Its rows.
        note: What has to be said of it.
        beyond: Whether it is not the paper's.
    """

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ''
    beyond: bool = False

    @property
    def heading(self) -> str:
        """Name and title for people."""
        if self.beyond:
            return f'Beyond the paper: {self.title}'
        kinds = {'fig': 'Fig.', 'sec': 'Section', '': 'Table'}
        prefix = next(prefix for prefix in kinds if self.name.startswith(prefix))
        return f'{kinds[prefix]} {self.name.removeprefix(prefix)}: {self.title}'

    @property
    def scores(self) -> list[Score]:
        """Of all rows."""
        return [score for row in self.rows for score in row.scores]

    @property
    def runs(self) -> list[Run]:
        """Of all rows, each once."""
        return list(dict.fromkeys(score.run for score in self.scores if score.run))
