"""Work_dirs as runs leave them, made without a run."""

import json
import os
from datetime import datetime
from pathlib import Path

import numpy as np
from PIL import Image

CONFIG = """custom_hooks = [
    dict(type='HealthHook'),
]
model = dict(
    backbone=dict(arch=dict(embed_dims=24), type='BootMAEViT'), type='BootMAE')
train_cfg = dict(max_epochs=4, type='ResumableTrainLoop')
"""
SEGMENTATION = "train_cfg = dict(max_iters=120, type='IterBasedTrainLoop', val_interval=60)\n"
ENVIRONMENT = """
------------------------------------------------------------
System environment:
    sys.platform: linux
    Python: 3.11.7 (main, May  9 2026) [GCC 12.2.0]
    numpy_random_seed: 0
    GPU 0,1: NVIDIA H200
    PyTorch: 2.10.0
    PyTorch compiling details: PyTorch built with:
  - GCC 13.3

    MMEngine: 0.10.12

Runtime environment:
    dist_cfg: {'backend': 'nccl'}
    seed: 0
------------------------------------------------------------
"""
LONG_PATH = '/data/' + 'a_very_long_folder_name_without_a_single_space/' * 6 + 'image.jpg'


def pretraining_row(iteration: int, epoch: int, **changes) -> dict:
    """What pretraining logs of a step."""
    row = dict(
        base_lr=1e-3, lr=1e-3, data_time=0.01, time=0.1, grad_norm=2.0, loss=1.5 + 1 / iteration,
        L_pixel=1.0, L_feature=0.5, pixel_spread=0.1, feature_spread=0.2, teacher_spread=0.5,
        feature_weight=0.1, teacher_decay=0.999, data_share=0.05, teacher_rank=20.0,
        teacher_image_spread=0.3, teacher_distance=0.01, memory=1234,
    )  # fmt: skip
    return {**row, **changes, 'epoch': epoch, 'iter': iteration, 'step': iteration}


def validation_row(step: int, **scores) -> dict:
    """What a validation logs."""
    return {**scores, 'data_time': 0.1, 'time': 0.2, 'step': step}


def write_run(
    work_dir: Path, stamp: str, rows, log: str = '', config: str = CONFIG, tail: str = ''
) -> Path:
    """The folder of a run; ``tail`` comes after the rows of scalars.json."""
    folder = work_dir / stamp
    (folder / 'vis_data').mkdir(parents=True)
    lines = ''.join(json.dumps(row) + '\n' for row in rows)
    (folder / 'vis_data/scalars.json').write_text(lines + tail)
    (folder / 'vis_data/config.py').write_text(config)
    if log:
        (folder / f'{stamp}.log').write_text(log)
    return folder


def record(time: str, level: str, text: str) -> str:
    """A record of mmengine's log on 31 January 2026."""
    if level == 'ERROR':
        text = f'/site-packages/bootmae_mm/health_faults.py - stop - 118 - {text}'
    return f'2026/01/31 {time} - mmengine - {level} - {text}\n'


def write_picture(folder: Path, name: str, step: int, value: int, size=(30, 20)) -> None:
    """A picture of one grey value, as the local backend names it."""
    path = folder / f'vis_data/vis_image/{name}_{step}.png'
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), value, np.uint8)).save(path)


def write_checkpoint(work_dir: Path, name: str, written: str) -> None:
    """A file of one mebibyte, the last one of mmengine's checkpoint hook."""
    path, seconds = work_dir / name, datetime.fromisoformat(written).timestamp()
    path.write_bytes(bytes(2**20))
    pointer = work_dir / 'last_checkpoint'
    pointer.write_text(f'/somewhere/else/{name}')
    for file in (path, pointer):
        os.utime(file, (seconds, seconds))


def write_eventful_run(work_dir: Path) -> Path:
    """A pretraining with everything on its page: two runs, the second of which goes on at
    iteration 20; warnings, an error, pictures, images that cannot be read, a killed run's line."""
    work_dir.mkdir(parents=True, exist_ok=True)
    (work_dir / 'bootmae_tiny.py').write_text(CONFIG)
    first = [pretraining_row(i, (i + 9) // 10) for i in range(5, 31, 5)]
    log = (
        record('12:00:01', 'INFO', ENVIRONMENT)
        + record('12:00:05', 'INFO', 'Epoch(train)  [1][ 5/10]  lr: 1.0e-03  loss: 1.7')
        + record('12:00:06', 'WARNING', 'Training waited 40% of its time for data in epoch 1; why.')
        + record('12:00:09', 'WARNING', f'{LONG_PATH} is odd\nand has a second line')
        + record('12:01:00', 'WARNING', 'Stopped by SIGTERM after iteration 30; start again.')
    )
    folder = write_run(work_dir, '20260131_120000', first, log, tail='{"loss": 1.0, "L_pix')
    write_picture(folder, 'reconstruction', 10, 50, (900, 300))
    second = [pretraining_row(i, (i + 9) // 10, loss=0.5, odd_name=3.0) for i in range(25, 41, 5)]
    log = (
        record('13:00:02', 'INFO', 'Epoch(train)  [3][ 5/10]  lr: 1.0e-03  loss: 0.5')
        + record('13:00:03', 'WARNING', 'Iteration 26, teacher: far; training stops after 3 such.')
        + record('13:00:07', 'WARNING', 'Images in epoch 3: 1 unreadable files skipped (a.jpg).')
        + record('13:00:09', 'ERROR', 'Training was stopped at iteration 39 (epoch 4): <b>&')
        + record('13:00:30', 'INFO', 'Saving checkpoint at 4 epochs')
    )
    folder = write_run(work_dir, '20260131_130000', second, log)
    write_picture(folder, 'reconstruction', 40, 200, (900, 300))
    write_picture(folder, 'masks', 40, 100)
    rows = [f'skipped\t{LONG_PATH}\tnot an image', 'converted\tb.png\tRGBA', 'skipped\tcut o']
    (work_dir / 'image_report.tsv').write_text('\n'.join(rows))
    write_checkpoint(work_dir, 'epoch_4.pth', '2026-01-31 13:00:30')
    return work_dir
