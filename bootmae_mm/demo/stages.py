"""The stages of the demo: pretrain with the user's command, then probe and fine-tune.

Each stage runs a config of ``configs/demo`` through mmengine's Runner; nothing here trains by
itself. The stages say how far they are through a callback ``say(text)``.
"""

import json
import multiprocessing
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmpretrain.registry import MODELS

from ..checkpoint import read_state_dict
from ..pretrain.bootmae import BootMAE
from ..pretrain.dataset import UnlabelledImages
from ..pretrain.reconstruct import Reconstruction, reconstruct
from ..training import build_runner

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs' / 'demo'
NUM_PROCESSES = min(2, os.cpu_count() or 1)
Say = Callable[[str], None]


class Job(NamedTuple):
    """One evaluation: ``task`` is the name of a config, ``start`` 'scratch' or 'pretrained'."""

    task: str
    start: str
    seed: int


def read_scalars(work_dir: Path) -> list[dict]:
    """What the newest run in ``work_dir`` logged, one dict per logged step."""
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    if not files:
        return []
    return [json.loads(line) for line in files[-1].read_text().splitlines()]


def pretrain(data_root: Path, work_dir: Path, options: Mapping[str, object], say: Say) -> Path:
    """Pretrain with ``tools/dist_train.sh configs/demo/pretrain.py``; returns the checkpoint.

    Args:
        data_root: Folder of images.
        work_dir: Where the run writes.
        options: Settings of the config to override.
        say: Told every few seconds how far it is.

    Raises:
        RuntimeError: If the command fails, with the first error it printed.
    """
    options = {'train_dataloader.dataset.data_root': data_root, **options}
    command = [
        'bash', str(ROOT / 'tools/dist_train.sh'), str(CONFIGS / 'pretrain.py'),
        str(NUM_PROCESSES), '--work-dir', str(work_dir),
        '--cfg-options', *(f'{key}={value}' for key, value in options.items()),
    ]  # fmt: skip
    say('$ ' + ' '.join(command[1:]))
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
    return Path((work_dir / 'last_checkpoint').read_text().strip())


def last_progress(printed: str) -> str:
    """Epoch, time left and losses of the last line that mmengine logged."""
    lines = [line for line in printed.splitlines() if 'Epoch(train)' in line]
    if not lines:
        return 'starting ...'
    place = re.search(r'\[ *(\d+)\]\[ *(\d+)/(\d+)\]', lines[-1])
    values = dict(re.findall(r'(\S+): +(\S+)', lines[-1]))
    return 'epoch {} ({} of {} steps), {} left, pixel loss {}, feature loss {}'.format(
        *place.groups(), values['eta'], values.get('L_pixel'), values.get('L_feature')
    )


def transfer(jobs: list[Job], data_root: Path, checkpoint: Path, work_dir: Path) -> Iterator:
    """Run jobs on all cores; yields ``(job, top-1 accuracy in %)`` as they finish."""
    spawn = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(NUM_PROCESSES, spawn, torch.set_num_threads, (1,)) as pool:
        running = {pool.submit(run_job, job, data_root, checkpoint, work_dir): job for job in jobs}
        for done in as_completed(running):
            yield running[done], done.result()


def run_job(job: Job, data_root: Path, checkpoint: Path, work_dir: Path) -> float:
    """Train one classifier and return its top-1 accuracy on the validation pictures, in %."""
    cfg = Config.fromfile(CONFIGS / f'{job.task}.py')
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.data_root = str(data_root)
    if job.start == 'pretrained':
        cfg.model.backbone.init_cfg = dict(type='PretrainedEncoder', checkpoint=str(checkpoint))
    cfg.randomness.seed = job.seed
    cfg.env_cfg.mp_cfg.mp_start_method = 'spawn'  # as this process was started
    cfg.log_level = 'ERROR'
    cfg.experiment_name = '_'.join(map(str, job))
    cfg.work_dir = str(work_dir / cfg.experiment_name)
    runner = build_runner(cfg)
    runner.train()
    return float(runner.message_hub.get_scalar('val/accuracy/top1').current())


def pictures(data_root: Path, checkpoint: Path, count: int = 8) -> Reconstruction:
    """Reconstructions of images of a folder, taken evenly from it."""
    cfg = Config.fromfile(CONFIGS / 'pretrain.py')
    model: BootMAE = MODELS.build(cfg.model)
    model.load_state_dict(read_state_dict(checkpoint))
    model.eval()
    load, _, _, mask, pack = cfg.train_pipeline
    side = cfg.model.backbone.img_size
    shown = [
        dict(type='ResizeEdge', scale=side, edge='short'),
        dict(type='CenterCrop', crop_size=side),
    ]
    dataset = UnlabelledImages(str(data_root), pipeline=[load, *shown, mask, pack])
    indices = range(0, len(dataset), max(1, len(dataset) // count))[:count]
    batch = default_collate([dataset[index] for index in indices])
    data = model.data_preprocessor(batch)
    ids = model.patch_ids(data['data_samples'], data['inputs'].device)
    return reconstruct(model, data['inputs'], *ids)
