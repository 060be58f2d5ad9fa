"""Pretrain a small BootMAE and report what came of it.

    make demo                              on pictures that it draws, with labels: evaluated
    make demo DATA=/folder/of/images       on your own pictures: losses and reconstructions

Writes work_dirs/demo/report.html (self-contained) and metrics.json.
"""

import argparse
import time
from contextlib import contextmanager
from pathlib import Path

from bootmae_mm.demo import layout, stages, summary
from bootmae_mm.pretrain.dataset import IMAGE_EXTENSIONS, find_images

NUM_TRAIN, NUM_VAL, LABELS_PER_CLASS, SEEDS = 8192, 1000, 100, (0, 1, 2)
# Large upright shapes on smooth backgrounds: a small ViT learns something of them in minutes.
STYLE = dict(size_range=(0.55, 0.75), max_rotation=0.35, textures=('gradient', 'value_noise'))


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


def draw(root: Path) -> None:
    """Draw the data set and choose the labelled subset; nothing the second time."""
    layout.write_imagenet_layout(
        root, NUM_TRAIN, NUM_VAL, size=32, seed=0, **STYLE,
        progress=lambda done, total: done % 2000 or say(f'  {done} of {total} pictures'),
    )  # fmt: skip
    labelled = layout.labelled_subset(root, LABELS_PER_CLASS)
    layout.write_annotation(root / 'labelled.txt', labelled)


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


def evaluate(root: Path, checkpoint: Path, work_dir: Path) -> dict[stages.Job, float]:
    """Accuracy of every job."""
    jobs = [
        stages.Job(task, start, seed)
        for seed in SEEDS
        for task in ('finetune', 'linear')
        for start in ('scratch', 'pretrained')
    ]
    accuracies, begin = {}, time.time()
    for job, accuracy in stages.transfer(jobs, root, checkpoint, work_dir):
        accuracies[job] = accuracy
        left = (time.time() - begin) / len(accuracies) * (len(jobs) - len(accuracies))
        say(f'  {" ".join(map(str, job))}: {accuracy:.1f} %, about {left:.0f} s left')
    return accuracies


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--data', type=Path, help='folder of images to pretrain on instead')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'))
    args = parser.parse_args(argv)
    work_dir, clock, accuracies, options = args.work_dir, Clock(), {}, {}
    root = args.data or Path('data/shapes')
    if args.data:
        try:
            options = own_pictures(args.data)
        except ValueError as error:
            parser.error(str(error))
    else:
        with clock.stage('draw pictures'):
            draw(root)
    images = root if args.data else root / 'train'
    with clock.stage('pretrain'):
        checkpoint = stages.pretrain(images, work_dir / 'pretrain', options, say)
    if not args.data:
        with clock.stage('evaluate'):
            accuracies = evaluate(root, checkpoint, work_dir)
    pictures = stages.pictures(images if args.data else root / 'val', checkpoint)
    scalars = stages.read_scalars(work_dir / 'pretrain')
    summary.write_metrics(work_dir / 'metrics.json', accuracies, clock.seconds)
    summary.write_report(work_dir / 'report.html', scalars, pictures, accuracies, clock.seconds)
    if accuracies:
        say('\n' + summary.as_text(summary.HEADER, summary.table(accuracies)))
    say(f'\nReport: {work_dir / "report.html"}')


if __name__ == '__main__':
    main()
