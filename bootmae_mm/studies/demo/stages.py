"""The stages of the demo: pretrain with the user's command, then classify, segment and detect.

Each stage runs a config of ``configs/demo`` through mmengine's Runner; nothing here trains by
itself. The stages say how far they are through a callback ``say(text)``.
"""

import multiprocessing
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS, TRANSFORMS
from PIL import Image

from ...checkpoint import read_state_dict
from ...engine.build import build_runner
from ...engine.run_files import last_checkpoint
from ...preflight.config.typed import as_option
from ...pretrain.bootmae import BootMAE
from ...pretrain.reconstruct import Reconstruction, reconstruct
from ...reports.run.log import BY_EPOCH
from ...visualization.images import centre_crops, find_files, normalise, read_evenly
from ...visualization.masks import draw_ids, find_masking
from .predictions import paint_truth, predict

ROOT = Path(__file__).parents[3]
CONFIGS = ROOT / 'configs' / 'demo'
NUM_PROCESSES = min(2, os.cpu_count() or 1)
Say = Callable[[str], None]
NUM_PICTURES = 4  # predictions shown per run


class Task(NamedTuple):
    """A config of ``configs/demo`` by name, where its data lies, and what scores it.

    ``metrics``: names to show, and mmengine's names and the factors that make percentages of them.
    """

    config: str
    data: str
    metrics: dict[str, tuple[str, float]]


TASKS = {
    'linear probe': Task('linear', 'shapes', {'top-1': ('accuracy/top1', 1)}),
    'fine-tuning': Task('finetune', 'shapes', {'top-1': ('accuracy/top1', 1)}),
    'segmentation': Task('segment', 'shapes_dense/ade', {'mIoU': ('mIoU', 1)}),
    'detection': Task(
        'detect',
        'shapes_dense/coco',
        {'box AP': ('coco/bbox_mAP', 100), 'mask AP': ('coco/segm_mAP', 100)},
    ),
}


class Job(NamedTuple):
    """One evaluation: ``task`` is a key of TASKS, ``start`` 'scratch' or 'pretrained'."""

    task: str
    start: str
    seed: int


class Outcome(NamedTuple):
    """Scores of a job in %, and for seed 0 of dense tasks painted predictions, uint8 RGB."""

    scores: dict[str, float]
    pictures: list[np.ndarray]


def pretrain(data_root: Path, work_dir: Path, options: Mapping[str, object], say: Say) -> Path:
    """Pretrain with ``tools/dist_train.sh configs/demo/pretrain.py``; returns the checkpoint.

    Args:
        data_root: Folder of images.
        work_dir: Where the run writes.
        options: Settings of the config to override.
        say: Called every few seconds with a line on the progress.

    Raises:
        RuntimeError: If the command fails, with the first error it printed.
    """
    options = {'train_dataloader.dataset.data_root': data_root, **options}
    command = [
        'bash', str(ROOT / 'tools/dist_train.sh'), str(CONFIGS / 'pretrain.py'),
        str(NUM_PROCESSES), '--work-dir', str(work_dir),
        '--cfg-options', *(as_option(key, value) for key, value in options.items()),
    ]  # fmt: skip
    say('$ ' + shlex.join(command[1:]))
    work_dir.mkdir(parents=True, exist_ok=True)
    printed, shown = work_dir / 'pretrain.txt', ''
    with open(printed, 'w') as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            time.sleep(5)
            if shown != (shown := last_progress(printed.read_text())):
                say(f'  {shown}')
    if process.returncode:
        errors = [x for x in printed.read_text().splitlines() if re.match(r'\w*Error\b', x)]
        raise RuntimeError(
            f'Pretraining failed with status {process.returncode}, see {printed}: '
            f'{errors[0] if errors else ""}'
        )
    return last_checkpoint(work_dir)


def last_progress(printed: str) -> str:
    """Epoch, time left and losses of the last line that mmengine logged."""
    places = list(BY_EPOCH.finditer(printed))
    if not places:
        return 'starting ...'
    line = printed[places[-1].end() :].partition('\n')[0]
    values = dict(re.findall(r'(\S+): +(\S+)', line))
    return 'epoch {} ({} of {} steps), {} left, pixel loss {}, feature loss {}'.format(
        *places[-1].groups(), *(values.get(name) for name in ('eta', 'L_pixel', 'L_feature'))
    )


def transfer(jobs: list[Job], data: Path, checkpoint: Path, work_dir: Path) -> Iterator:
    """Run jobs on all cores; yields ``(job, outcome)`` as they finish.

    Args:
        jobs: What to run.
        data: The folder that holds the tasks' data sets.
        checkpoint: The checkpoint of pretraining.
        work_dir: Where the runs write.
    """
    spawn = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(NUM_PROCESSES, spawn, torch.set_num_threads, (1,)) as pool:
        running = {pool.submit(run_job, job, data, checkpoint, work_dir): job for job in jobs}
        for done in as_completed(running):
            yield running[done], done.result()


def run_job(job: Job, data: Path, checkpoint: Path, work_dir: Path) -> Outcome:
    """Train and evaluate one model; what it prints goes to ``<job>.txt`` in ``work_dir``."""
    cfg = job_config(job, data, checkpoint, work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    with open(f'{cfg.work_dir}.txt', 'w') as output, redirect_stdout(output):
        runner = build_runner(cfg)
        runner.train()
        scores = {
            name: factor * float(runner.message_hub.get_scalar(f'val/{metric}').current())
            for name, (metric, factor) in TASKS[job.task].metrics.items()
        }
        is_dense = TASKS[job.task].data != 'shapes'
        pictures = predict(runner, NUM_PICTURES) if is_dense and job.seed == 0 else []
    return Outcome(scores, pictures)


def job_config(job: Job, data: Path, checkpoint: Path, work_dir: Path) -> Config:
    """The config of a job."""
    task = TASKS[job.task]
    cfg = Config.fromfile(CONFIGS / f'{task.config}.py')
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.data_root = str(data / task.data)
    if 'ann_file' in cfg.val_evaluator:
        cfg.val_evaluator.ann_file = str(data / task.data / cfg.val_dataloader.dataset.ann_file)
    pretrained = dict(type='PretrainedEncoder', checkpoint=str(checkpoint))
    cfg.model.backbone.init_cfg = pretrained if job.start == 'pretrained' else None
    for unused in ('test_dataloader', 'test_evaluator', 'test_cfg'):
        cfg.pop(unused, None)
    cfg.randomness.seed = job.seed
    cfg.env_cfg.mp_cfg.mp_start_method = 'spawn'  # as this process was started
    cfg.log_level = 'ERROR'
    cfg.experiment_name = f'{task.config}_{job.start}_{job.seed}'
    cfg.work_dir = str(work_dir / cfg.experiment_name)
    return cfg


def dense_truth(data: Path) -> list[np.ndarray]:
    """Painted labels of what :func:`bootmae_mm.studies.demo.predictions.predict` shows."""
    root = data / TASKS['segmentation'].data
    files = sorted((root / 'annotations/validation').iterdir())[:NUM_PICTURES]
    images = [np.asarray(Image.open(root / 'images/validation' / file.name)) for file in files]
    labels = [np.asarray(Image.open(file)) for file in files]
    return paint_truth(images, labels)


def pictures(data_root: Path, checkpoint: Path, count: int = 8) -> Reconstruction:
    """Reconstructions of images of a folder, taken evenly from it."""
    cfg = Config.fromfile(CONFIGS / 'pretrain.py')
    model: BootMAE = MODELS.build(cfg.model)
    model.load_state_dict(read_state_dict(checkpoint))
    model.eval()
    files = find_files([str(data_root)])
    shown = read_evenly(files.__getitem__, len(files), count)
    images = normalise(model, centre_crops(shown, model.backbone.img_size))
    masking = find_masking(map(TRANSFORMS.build, cfg.train_pipeline))
    ids = (x.to(images.device) for x in draw_ids(masking, len(shown), seed=0))
    return reconstruct(model, images, *ids)
