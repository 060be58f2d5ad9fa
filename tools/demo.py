"""Pretrain a small BootMAE and report what came of it.

    make demo                              on pictures that it draws, with labels: evaluated
    make demo DATA=/folder/of/images       on your own pictures: losses and reconstructions
    python tools/demo.py --draw            draws its pictures into data/ and does no more

Writes work_dirs/demo/report.html (self-contained) and metrics.json.
"""

import argparse
import time
from contextlib import contextmanager
from pathlib import Path

from bootmae_mm.demo import data_sets, stages, summary
from bootmae_mm.pretrain.dataset import IMAGE_EXTENSIONS, find_images

SEEDS = (0, 1, 2)


class Clock:
    """Announces stages and keeps their durations."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str):
        """Time what happens inside."""
        print(f'== {name}', flush=True)
        start = time.time()
        yield
        self.seconds[name] = time.time() - start
        print(f'== {name}: {self.seconds[name]:.0f} s', flush=True)


def say(text: str) -> None:
    """Show a line at once."""
    print(text, flush=True)


def own_pictures(folder: Path) -> dict[str, object]:
    """Settings for a folder of any size: a batch it can fill, and as many steps as by default.

    Raises:
        ValueError: If there are not enough images in the folder.
    """
    count = len(find_images(str(folder), IMAGE_EXTENSIONS))
    batch = min(128, count // stages.NUM_PROCESSES * stages.NUM_PROCESSES)
    if batch == 0:
        raise ValueError(f'Expected at least {stages.NUM_PROCESSES} images, found {count}.')
    epochs = max(3, 64 * 11 // (count // batch))
    return {
        'train_dataloader.batch_size': batch // stages.NUM_PROCESSES,
        'train_dataloader.sampler.total_batch_size': batch,
        'custom_hooks.0.total_batch_size': batch,
        'train_cfg.max_epochs': epochs,
        'default_hooks.checkpoint.interval': epochs,
        'param_scheduler.1.end': epochs,
        'custom_hooks.1.milestones': f'[(0,0.99),({epochs / 2},0.999)]',
    }


def evaluate(data: Path, checkpoint: Path, work_dir: Path) -> dict[stages.Job, stages.Outcome]:
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


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    what = parser.add_mutually_exclusive_group()
    what.add_argument('--data', type=Path, help='folder of images to pretrain on instead')
    what.add_argument('--draw', action='store_true', help='draw the pictures and stop')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'))
    args = parser.parse_args(argv)
    work_dir, clock, outcomes, truth, options = args.work_dir, Clock(), {}, [], {}
    data = Path('data')
    if args.data:
        try:
            options = own_pictures(args.data)
        except ValueError as error:
            parser.error(str(error))
    else:
        with clock.stage('draw pictures'):
            data_sets.draw(data, say)
    if args.draw:
        return
    images = args.data or data / 'shapes/train'
    with clock.stage('pretrain'):
        checkpoint = stages.pretrain(images, work_dir / 'pretrain', options, say)
    if not args.data:
        with clock.stage('evaluate'):
            outcomes = evaluate(data, checkpoint, work_dir)
        truth = stages.dense_truth(data)
    pictures = stages.pictures(args.data or data / 'shapes/val', checkpoint)
    scalars = stages.read_scalars(work_dir / 'pretrain')
    summary.write_metrics(work_dir / 'metrics.json', outcomes, clock.seconds)
    summary.write_report(
        work_dir / 'report.html', scalars, pictures, outcomes, truth, clock.seconds
    )
    if outcomes:
        say('\n' + summary.as_text(summary.HEADER, summary.table(outcomes)))
    say(f'\nReport: {work_dir / "report.html"}')


if __name__ == '__main__':
    main()
