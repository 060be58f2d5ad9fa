"""The whole demo: pictures, pretraining, tasks with labels, report."""

import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from PIL import Image

from ...data.synthetic import data_sets
from ...engine.tables import as_text
from ...visualization.painting import sheet
from . import stages, summary
from .predictions import look
from .stages import Job, Say


class Clock:
    """Announces stages and keeps their durations."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str):
        """Time what happens inside."""
        self.say(f'== {name}')
        start = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - start
        self.say(f'== {name}: {self.seconds[name]:.0f} s')


@contextmanager
def unheard(file: Path):
    """What the toolboxes print meanwhile goes to a file."""
    with file.open('w') as said, redirect_stdout(said), redirect_stderr(said):
        yield


def all_jobs(full: bool) -> tuple[list[Job], list[Job]]:
    """Those of the first seed, and those of the others, which train the configs of these."""
    tasks, seeds = (stages.TASKS, stages.SEEDS) if full else (stages.SHORT, 1)
    first = [Job(task, start, 0) for task in tasks for start in stages.STARTS]
    return first, [job._replace(seed=seed) for seed in range(1, seeds) for job in first]


def evaluate(full: bool, data: Path, work_dir: Path, say: Say) -> summary.Outcomes:
    """The scores of every job."""
    parts = all_jobs(full)
    number, outcomes, begin = sum(map(len, parts)), {}, time.monotonic()
    for part in filter(None, parts):
        for job, scores in stages.transfer(part, data, work_dir, say):
            outcomes[job] = scores
            left = (time.monotonic() - begin) / len(outcomes) * (number - len(outcomes))
            shown = ', '.join(f'{name} {value:.1f} %' for name, value in scores.items())
            say(f'  {" ".join(map(str, job[:2]))}: {shown}; about {left:.0f} s left')
    return outcomes


def run(full: bool, data: Path, work_dir: Path, say: Say) -> None:
    """The demo; of a run that was cut off, the rest.

    Args:
        full: Three seeds, and detection too.
        data: Folder for the pictures.
        work_dir: Folder for the runs and the report.
        say: Told a line.
    """
    clock = Clock(say)
    with clock.stage('draw pictures'):
        data_sets.draw(data, say)
    with clock.stage('pretrain'):
        stages.pretrain(data, work_dir, say)
    with clock.stage('learn from labels'):
        outcomes = evaluate(full, data, work_dir, say)
    with clock.stage('look'), unheard(work_dir / 'look.txt'):
        shown = look([job.task for job in outcomes if job.seed == 0], work_dir, data)
    Image.fromarray(sheet(shown.predictions['segmentation'])).save(work_dir / 'segmentation.png')
    summary.write_report(work_dir / 'report.html', outcomes, shown, clock.seconds)
    summary.write_metrics(work_dir / 'metrics.json', outcomes, clock.seconds)
    say('\n' + as_text(summary.HEADER, summary.table(outcomes)))
    say(f'\n{summary.sentence(outcomes)}\nReport: {work_dir / "report.html"}')
