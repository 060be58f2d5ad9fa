"""The whole demo: pictures, pretraining, evaluation, report."""

import time
from contextlib import contextmanager
from pathlib import Path

from ...data.search import find_images
from ...data.synthetic import data_sets
from ...engine.tables import as_text
from ...reports.run.scalars import curves
from ...reports.run.work_dir import read_work_dir
from . import stages, summary
from .stages import Say

SEEDS = (0, 1, 2)


class Clock:
    """Announces stages and keeps their durations."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str):
        """Time what happens inside."""
        self.say(f'== {name}')
        start = time.time()
        yield
        self.seconds[name] = time.time() - start
        self.say(f'== {name}: {self.seconds[name]:.0f} s')


def own_pictures(folder: Path) -> dict[str, object]:
    """Settings for a folder of any size: a batch it can fill, and as many steps as by default.

    Raises:
        ValueError: If there are not enough images in the folder.
    """
    count = len(find_images(str(folder)))
    batch = min(128, count // stages.NUM_PROCESSES * stages.NUM_PROCESSES)
    if batch == 0:
        raise ValueError(f'Expected at least {stages.NUM_PROCESSES} images, found {count}.')
    epochs = max(3, 64 * 11 // (count // batch))
    return {
        'train_dataloader.batch_size': batch // stages.NUM_PROCESSES,
        'train_dataloader.sampler.total_batch_size': batch,
        'custom_hooks.total_batch.total_batch_size': batch,
        'train_cfg.max_epochs': epochs,
        'default_hooks.checkpoint.interval': epochs,
        'param_scheduler.1.end': epochs,
        'custom_hooks.teacher.milestones': [(0, 0.99), (epochs / 2, 0.999)],
    }


def evaluate(
    data: Path, checkpoint: Path, work_dir: Path, say: Say
) -> dict[stages.Job, stages.Outcome]:
    """What came of every job."""
    jobs = [
        stages.Job(task, start, seed)
        for seed in SEEDS
        for task in stages.TASKS
        for start in ('scratch', 'pretrained')
    ]
    outcomes, begin = {}, time.time()
    for job, outcome in stages.transfer(jobs, data, checkpoint, work_dir):
        outcomes[job] = outcome
        left = (time.time() - begin) / len(outcomes) * (len(jobs) - len(outcomes))
        scores = ', '.join(f'{name} {value:.1f} %' for name, value in outcome.scores.items())
        say(f'  {" ".join(map(str, job))}: {scores}, about {left:.0f} s left')
    return outcomes


def run(images: Path | None, work_dir: Path, say: Say) -> None:
    """The demo on the drawn pictures, or the same pretraining on a folder of images.

    Raises:
        ValueError: If there are not enough images in the folder.
    """
    clock, outcomes, truth, data = Clock(say), {}, [], Path('data')
    options = own_pictures(images) if images else {}
    if not images:
        with clock.stage('draw pictures'):
            data_sets.draw(data, say)
    with clock.stage('pretrain'):
        checkpoint = stages.pretrain(
            images or data / 'shapes/train', work_dir / 'pretrain', options, say
        )
    if not images:
        with clock.stage('evaluate'):
            outcomes = evaluate(data, checkpoint, work_dir, say)
        truth = stages.dense_truth(data)
    pictures = stages.pictures(images or data / 'shapes/val', checkpoint)
    logged = curves(read_work_dir(work_dir / 'pretrain').rows, None).train
    summary.write_metrics(work_dir / 'metrics.json', outcomes, clock.seconds)
    summary.write_report(work_dir / 'report.html', logged, pictures, outcomes, truth, clock.seconds)
    if outcomes:
        say('\n' + as_text(summary.HEADER, summary.table(outcomes)))
    say(f'\nReport: {work_dir / "report.html"}')
