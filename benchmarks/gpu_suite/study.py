"""MAE and BootMAE on real photographs, each for the same time on one GPU, and what their encoders
are worth then: neighbours, a linear classifier of every block, fine-tuning against scratch.

python benchmarks/gpu_suite/study.py --images FOLDER [--minutes 8] [--out DIR]

FOLDER has ``train/<class>/`` and ``val/<class>/``. Needs what ``run.py`` needs. Written after every
step: ``study.md``, ``study.json``, and ``epochs.jsonl`` with the losses of every epoch.
"""

import sys
import time

BEGAN = time.perf_counter()

import argparse  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import traceback  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402
from tempfile import TemporaryDirectory  # noqa: E402
from typing import NamedTuple  # noqa: E402

BENCHMARKS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(BENCHMARKS.parent), str(BENCHMARKS)]

import common  # noqa: E402
import torch  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.device import get_device  # noqa: E402
from mmengine.hooks import Hook  # noqa: E402
from mmengine.logging import MMLogger  # noqa: E402
from mmengine.registry import init_default_scope  # noqa: E402
from mmengine.runner import Runner, set_random_seed  # noqa: E402
from mmpretrain.registry import MODELS  # noqa: E402
from timing import Progress, clock, free_memory, say  # noqa: E402
from torch import nn  # noqa: E402

import bootmae_mm.registration  # noqa: E402, F401
from bootmae_mm.encoder.vit import BootMAEViT  # noqa: E402
from bootmae_mm.engine.build import build_runner  # noqa: E402
from bootmae_mm.monitors.probes.frozen import FrozenEncoder  # noqa: E402
from bootmae_mm.monitors.probes.measuring import scores_of  # noqa: E402
from bootmae_mm.monitors.probes.sources import image_source, loader  # noqa: E402
from bootmae_mm.preflight.data.files import evenly_spaced  # noqa: E402

TITLE = 'MAE and BootMAE on photographs, the same time each on one GPU'
CONFIGS = BENCHMARKS.parent / 'configs'
METHODS = dict(MAE='pretrain/mae/mae_vitb_300e_pixel_random', BootMAE='pretrain/bootmae_vitb_800e')
IMG_SIZE, PATCH_SIZE = 64, 8
GRID = IMG_SIZE // PATCH_SIZE
NUM_MASKED = GRID**2 * 3 // 4
LEARNING_RATE = 1e-3  # of both; the recipe's rule is for a hundred times as many steps
FINE_TUNING_SHARE = 0.3  # of the time left
OVERRUN = 1.08  # a run that takes longer than planned by this is ended
OVERHEAD = 8.0  # seconds around a run: workers, the probe
NEIGHBOURS = 20


class Size(NamedTuple):
    """How large everything is.

    Args:
        arch: The encoder, as ``BootMAEViT`` takes it.
        width: Of the encoder.
        batch: Images in a step.
        images: Most images of each of the two folders; None for all.
        trial_epochs: From which the seconds of an epoch are measured, the first one apart.
        least: Seconds left below which nothing is fine-tuned.
    """

    arch: str | dict
    width: int
    batch: int
    images: int | None
    trial_epochs: int
    least: float


FULL = Size('small', 384, 512, None, 4, 150)
TINY_ARCH = dict(embed_dims=24, num_layers=3, num_heads=3, feedforward_channels=48)
TINY = Size(TINY_ARCH, 24, 8, 32, 2, 0)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description='MAE and BootMAE in a few minutes on one GPU.')
    parser.add_argument('--images', type=Path, required=True, help='has train/<class>, val/<class>')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/gpu_study'))
    parser.add_argument('--minutes', type=float, default=8.0, help='for everything')
    parser.add_argument('--tiny', action='store_true', help='tiny sizes, to try the study itself')
    return parser.parse_args(argv)


# ---------------------------------------------------------------------------------------------
# Configs


def loader_settings(batch: int) -> dict:
    """Workers for all cores but two, as many as shared memory has room for: a worker has two
    batches under way where that suffices, else one."""
    if not torch.cuda.is_available():
        return dict(num_workers=0, persistent_workers=False, pin_memory=False)
    room = int(0.8 * shutil.disk_usage('/dev/shm').free / (batch * 3 * IMG_SIZE**2)) - 2
    workers = max(1, min(len(os.sched_getaffinity(0)) - 2, room))
    each = 2 if room >= 2 * workers else 1
    return dict(num_workers=workers, prefetch_factor=each, persistent_workers=True, pin_memory=True)


def pretraining(method: str, images: Path, size: Size, epochs: int) -> Config:
    """The shipped config of a method at this size; schedules over ``epochs``."""
    cfg = Config.fromfile(CONFIGS / f'{METHODS[method]}.py')
    shrink(cfg.model, size)
    load, crop, mask, pack = cfg.train_dataloader.dataset.pipeline
    crop.scale = IMG_SIZE
    mask = dict(type=mask.type, grid=GRID, num_masked=NUM_MASKED)
    cfg.train_dataloader.update(batch_size=size.batch, **loader_settings(size.batch))
    cfg.train_dataloader.sampler.total_batch_size = size.batch
    cfg.train_dataloader.dataset.update(
        data_root=str(images / 'train'), indices=size.images, pipeline=[load, crop, mask, pack]
    )
    warm_up, cosine = cfg.param_scheduler
    cosine.eta_min *= LEARNING_RATE / cfg.optim_wrapper.optimizer.lr
    hooks = cfg.custom_hooks
    cfg.custom_hooks = dict(
        total_batch=dict(type='TotalBatchHook', total_batch_size=size.batch),
        teacher=hooks.teacher and dict(hooks.teacher, milestones=[(0, 0.99), (epochs / 2, 0.999)]),
        feature_weight=hooks.feature_weight and dict(hooks.feature_weight, ramp=1.0),
    )
    return scheduled(cfg, epochs)


def shrink(model: dict, size: Size) -> None:
    """Encoder and decoders of another size than ViT-B's, in place; depths stay."""
    model.backbone.update(arch=size.arch, img_size=IMG_SIZE, patch_size=PATCH_SIZE)
    for decoder in filter(None, (model.get('regressor'), model.get('predictor'))):
        for name in ('embed_dims', 'num_heads'):
            if decoder.get(name):
                decoder[name] = max(1, decoder[name] * size.width // 768)


def fine_tuning(normalisation: dict, encoder: Path | None, images: Path, size: Size, epochs: int):
    """The demo's config at this size, from an encoder or from scratch."""
    cfg = Config.fromfile(CONFIGS / 'demo/finetune.py')
    num_classes = sum(folder.is_dir() for folder in (images / 'train').iterdir())
    cfg.model.data_preprocessor.update(
        mean=normalisation['mean'], std=normalisation['std'], num_classes=num_classes
    )
    start = encoder and dict(type='PretrainedEncoder', checkpoint=str(encoder))
    cfg.model.backbone.pop('arch')
    cfg.model.backbone.update(
        arch=size.arch, img_size=IMG_SIZE, patch_size=PATCH_SIZE, drop_path_rate=0.1, init_cfg=start
    )
    cfg.model.head.update(num_classes=num_classes, in_channels=size.width)
    crop = dict(type='RandomCropFlip', scale=IMG_SIZE, crop_ratio_range=(0.2, 1.0))
    steps = dict(train=[crop], val=labelled_pipeline()[1:-1])
    for split in ('train', 'val'):
        cfg[f'{split}_dataloader'].update(batch_size=size.batch, **loader_settings(size.batch))
        cfg[f'{split}_dataloader'].dataset = dict(
            type='CustomDataset',
            data_root=str(images),
            data_prefix=split,
            pipeline=[dict(type='LoadAnyImage'), *steps[split], dict(type='PackInputs')],
            **({} if size.images is None else dict(indices=size.images)),
        )
    cfg.train_dataloader.drop_last = True
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    cfg.optim_wrapper.update(type='AutocastOptimWrapper', dtype='bfloat16')
    return scheduled(cfg, epochs, val_interval=epochs + 1)  # validated once, afterwards


def scheduled(cfg: Config, epochs: int, **loop) -> Config:
    """What all runs share: rate, its warm-up over a tenth and its end, no files but the log."""
    cfg.optim_wrapper.optimizer.lr = LEARNING_RATE
    cfg.train_cfg.update(max_epochs=epochs, **loop)
    warm_up, cosine = cfg.param_scheduler
    warm_up.end = cosine.begin = max(1, epochs // 10)
    cosine.end = epochs
    cfg.default_hooks.update(checkpoint=None, stop=None, stall=None, report=None)
    cfg.log_level = 'WARNING'
    return cfg


def labelled_pipeline() -> list[dict]:
    """How pictures are judged: whole."""
    return [
        dict(type='LoadAnyImage'),
        dict(type='ResizeEdge', scale=IMG_SIZE, edge='short', backend='pillow'),
        dict(type='CenterCrop', crop_size=IMG_SIZE),
        dict(type='PackInputs'),
    ]


# ---------------------------------------------------------------------------------------------
# Runs


class EpochLog(Hook):
    """Keeps a row per epoch, writes it at once, says how far the run is, and ends it after its
    time.

    Args:
        run: Name of the run, for the rows.
        path: File that the rows are appended to.
        limit: Seconds after which no epoch begins.
    """

    def __init__(self, run: str, path: Path, limit: float) -> None:
        self.run, self.path, self.limit = run, path, limit
        self.rows: list[dict] = []

    def before_train(self, runner: Runner) -> None:
        """The clock starts."""
        self.start = self.said = time.perf_counter()

    def before_train_epoch(self, runner: Runner) -> None:
        """Nothing is summed yet."""
        self.sums, self.waited, self.began = {}, 0.0, time.perf_counter()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Sum the values of the log."""
        for name, value in outputs.items():
            self.sums[name] = self.sums.get(name, 0.0) + torch.as_tensor(value).detach()
        self.waited += runner.message_hub.get_scalar('train/data_time').current()

    def after_train_epoch(self, runner: Runner) -> None:
        """The row."""
        now, steps = time.perf_counter(), len(runner.train_dataloader)
        images = steps * runner.train_dataloader.batch_size
        row = dict(run=self.run, epoch=runner.epoch + 1, epochs=runner.max_epochs)
        row |= dict(steps=runner.iter, images=images * (runner.epoch + 1), seconds=now - self.start)
        row |= {'images/s': images / (now - self.began), 'waiting for data': self.waited}
        row['waiting for data'] /= now - self.began
        row |= {name: float(total) / steps for name, total in self.sums.items()}
        self.rows.append(row)
        with self.path.open('a') as file:
            file.write(json.dumps(row) + '\n')
        left = (now - self.start) * (runner.max_epochs / row['epoch'] - 1)
        if now - self.said > 5 or left == 0:
            self.said = now
            say(
                f'    {self.run}: epoch {row["epoch"]}/{row["epochs"]}, loss {row["loss"]:.4f}, '
                f'{row["images/s"]:,.0f} images/s, {row["waiting for data"]:.0%} waiting for data, '
                f'about {clock(left)} left'
            )
        if row['seconds'] > self.limit:
            runner.train_loop.stop_training = True


def finished(cfg: Config, run: str, out: Path, limit: float = float('inf')) -> tuple:
    """Train; the runner and the rows of its epochs."""
    cfg.experiment_name = f'{run.replace(" ", "_")}_{time.time_ns()}'
    runner, log = build_runner(cfg), EpochLog(run, out / 'epochs.jsonl', limit)
    runner.register_hook(log, priority='LOWEST')
    runner.train()
    return runner, log.rows


def seconds_of_an_epoch(cfg: Config, run: str, out: Path) -> float:
    """Measured in a short run, without its first epoch."""
    _, rows = finished(cfg, f'trial of {run}', out)
    free_memory()
    found = (rows[-1]['seconds'] - rows[0]['seconds']) / (len(rows) - 1)
    say(f'    {run}: {found:.2f} s an epoch')
    return found


# ---------------------------------------------------------------------------------------------
# The study


class Study:
    """The steps of the study and what is known so far.

    Args:
        images: The folder.
        out: Where results are written.
        size: How large everything is.
        work_dir: For encoders and the runners' logs.
        progress: The clock.
    """

    def __init__(self, images: Path, out: Path, size: Size, work_dir: Path, progress: Progress):
        self.images, self.out, self.size, self.work_dir = images, out, size, work_dir
        self.progress = progress
        self.encoders: dict[str, dict] = {}
        self.blocks: list[dict] = []
        self.losses: list[dict] = []
        self.failures: list[dict] = []
        self.epoch_seconds: dict[str, float] = {}
        self.labelled = self.load_labelled()

    def load_labelled(self) -> tuple:
        """The labelled pictures, decoded once: the source and the batches of both folders."""
        names = dict(train='train', val='val')
        data = dict(type='CustomDataset', data_root=str(self.images), pipeline=labelled_pipeline())
        cfg = {split: dict(data, data_prefix=name) for split, name in names.items()}
        most = self.size.images or sys.maxsize
        source = image_source(cfg, (IMG_SIZE, IMG_SIZE), most, min(NEIGHBOURS, most))
        workers = loader_settings(self.size.batch)['num_workers']
        batches = [
            # Copied, since what comes from workers lies in shared memory.
            [
                dict(batch, inputs=batch['inputs'].clone())
                for batch in loader(dataset, self.size.batch, workers)
            ]
            for dataset in (source.train, source.val)
        ]
        return source, batches

    def config(self, method: str, epochs: int) -> Config:
        """Of a pretraining."""
        cfg = pretraining(method, self.images, self.size, epochs)
        cfg.work_dir = str(self.work_dir / method)
        return cfg

    def kept(self, method: str) -> Path:
        """Where an encoder is kept."""
        return self.work_dir / f'{method}.pth'

    def write(self) -> None:
        """Everything known so far."""
        sections = {
            'Encoders': list(self.encoders.values()),
            'Linear classifier of every block, %': self.blocks,
            'Losses': self.losses,
            'Failures': self.failures,
        }
        common.write(self.out, 'study', TITLE, sections)

    def probe(self, name: str, encoder: BootMAEViT, preprocess: nn.Module) -> None:
        """Neighbours and a linear classifier of every block of a frozen encoder."""
        source, batches = self.labelled
        precision = partial(torch.autocast, get_device(), torch.bfloat16)
        probe = source.probe(FrozenEncoder(encoder, precision))
        with torch.no_grad():
            ready = (
                ((data['inputs'], data['data_samples']) for data in map(preprocess, split))
                for split in batches
            )
            scores = scores_of({name: probe}, *ready)
        neighbours = scores.pop(f'{name}_knn')
        linear = {key.rpartition('_block')[2]: value for key, value in scores.items()}
        best, last = max(linear, key=linear.get), max(linear, key=int)
        row = self.encoders.setdefault(name, empty_row(name))
        row['neighbours, %'] = neighbours
        row |= {
            'linear, %': linear[best],
            'of block': best,
            'last block, %': linear[last],
        }
        self.blocks.append(dict(encoder=name, **linear))
        say(f'    {name}: neighbours {neighbours:.1f} %, linear {linear[best]:.1f} %')
        self.write()

    def probe_random(self) -> None:
        """What an encoder knows before training."""
        set_random_seed(0)
        model = MODELS.build(self.config('BootMAE', 2).model)
        model.init_weights()
        model.to(get_device())
        self.probe('random', model.backbone, model.data_preprocessor)

    def measure_epochs(self) -> None:
        """How long an epoch of each method takes."""
        for method in METHODS:
            cfg = self.config(method, self.size.trial_epochs)
            self.epoch_seconds[method] = seconds_of_an_epoch(cfg, method, self.out)

    def pretrain(self, method: str, seconds: float) -> None:
        """Pretrain for as many whole epochs as fit into the time, keep the encoder, probe it."""
        epochs = max(2, int(0.98 * seconds / self.epoch_seconds[method]))
        limit = OVERRUN * max(seconds, epochs * self.epoch_seconds[method])
        say(f'    {method}: {epochs} epochs for {clock(max(0, seconds))}')
        cfg = self.config(method, epochs)
        runner, rows = finished(cfg, method, self.out, limit)
        model, last = runner.model, rows[-1]
        row = self.encoders.setdefault(method, empty_row(method))
        row |= {name: last[name] for name in ('seconds', 'steps', 'images')}
        row['epochs'] = f'{last["epoch"]} of {last["epochs"]}'
        row |= {'images/s': last['images'] / last['seconds']}
        row['waiting for data, %'] = 100 * sum(r['waiting for data'] for r in rows) / len(rows)
        self.losses += [loss_row(rows[-1 - back]) for back in evenly_spaced(range(len(rows)), 12)]
        self.losses.sort(key=lambda row: (row['run'] != 'MAE', row['epoch']))
        self.write()
        torch.save(model.backbone.state_dict(), self.kept(method))
        self.probe(method, model.backbone, model.data_preprocessor)
        if model.teacher is not None:
            self.probe(f'{method}, teacher', model.teacher.encoder, model.data_preprocessor)

    def fine_tune(self) -> None:
        """From scratch and from both encoders, the same number of epochs each."""
        starts = ['random', *(method for method in METHODS if self.kept(method).is_file())]
        per_epoch = seconds_of_an_epoch(
            self.fine_tuning_config('random', self.size.trial_epochs), 'fine-tuning', self.out
        )
        epochs = max(2, int((self.progress.left / len(starts) - OVERHEAD) / per_epoch))
        for start in starts:
            cfg = self.fine_tuning_config(start, epochs)
            limit = OVERRUN * epochs * per_epoch + OVERHEAD / 2
            runner, _ = finished(cfg, f'fine-tuning {start}', self.out, limit)
            accuracy = runner.val()['accuracy/top1']
            self.encoders[start] |= {'fine-tuned, %': accuracy, 'fine-tuning epochs': epochs}
            say(f'    {start}: fine-tuned {accuracy:.1f} %')
            self.write()
            del runner
            free_memory()

    def fine_tuning_config(self, start: str, epochs: int) -> Config:
        """From an encoder by its name."""
        method, encoder = (start, self.kept(start)) if start in METHODS else ('BootMAE', None)
        normalisation = self.config(method, 2).model.data_preprocessor
        cfg = fine_tuning(normalisation, encoder, self.images, self.size, epochs)
        cfg.work_dir = str(self.work_dir / f'fine_tuning_{start}')
        return cfg


def empty_row(name: str) -> dict:
    """A row of the table of encoders, so that all have the same columns."""
    columns = (
        *('seconds', 'epochs', 'steps', 'images', 'images/s', 'waiting for data, %'),
        *('neighbours, %', 'linear, %', 'of block', 'last block, %'),
        *('fine-tuned, %', 'fine-tuning epochs'),
    )
    return dict(encoder=name, **dict.fromkeys(columns))


def loss_row(row: dict) -> dict:
    """A row of the table of losses."""
    names = ('run', 'epoch', 'seconds', 'L_pixel', 'L_feature', 'teacher_spread', 'feature_weight')
    return {name: row.get(name) for name in names}


def run(study: Study) -> int:
    """All steps, within the time; a step that fails is reported, and those after it are tried
    still.

    Returns:
        How many failed.
    """
    failures = 0

    def attempt(stage: str, function: Callable[..., None], *args) -> None:
        nonlocal failures
        study.progress.begin(stage)
        try:
            function(*args)
        except Exception as error:  # whatever it is: the other steps are still worth having
            traceback.print_exc()
            failures += 1
            study.failures.append(dict(stage=stage, error=f'{type(error).__name__}: {error}'))
            study.write()
        free_memory()

    attempt('random encoder', study.probe_random)
    attempt('seconds of an epoch', study.measure_epochs)
    left = study.progress.left
    fine_tunes = left >= study.size.least
    each = (1 - FINE_TUNING_SHARE * fine_tunes) * left / len(METHODS) - OVERHEAD
    study.progress.expected.update(dict.fromkeys(METHODS, max(0.0, each)))
    study.progress.expected['fine-tuning'] = FINE_TUNING_SHARE * fine_tunes * left
    for method in METHODS:
        attempt(method, study.pretrain, method, each)
    if fine_tunes:
        attempt('fine-tuning', study.fine_tune)
    return failures


def main(argv: Sequence[str] | None = None, began: float | None = None) -> int:
    """Run, print and write."""
    args = parse_args(argv)
    init_default_scope('mmpretrain')
    MMLogger.get_instance('study', log_level='WARNING')  # of what is built outside of runs
    size = TINY if args.tiny else FULL
    args.out.mkdir(parents=True, exist_ok=True)
    stages = {'random encoder': 10, 'seconds of an epoch': 25, **dict.fromkeys(METHODS, 60)}
    progress = Progress({**stages, 'fine-tuning': 60}, 60 * args.minutes)
    progress.start = began or progress.start
    say(f'data: {loader_settings(size.batch)}, start-up {progress.gone:.0f} s')
    with TemporaryDirectory() as work_dir:
        study = Study(args.images, args.out, size, Path(work_dir), progress)
        failures = run(study)
    say((args.out / 'study.md').read_text())
    say(f'{clock(progress.gone)} in all')
    return int(failures > 0)


if __name__ == '__main__':
    sys.exit(main(began=BEGAN))
