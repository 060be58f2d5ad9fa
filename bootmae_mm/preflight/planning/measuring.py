"""A few real training steps of a config, and a few hundred images of its data pipeline."""

import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from datetime import date
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import DATASETS, LOOPS, DefaultScope
from mmengine.runner import IterBasedTrainLoop, Runner
from torch import nn

from ...data.synthetic.generated import generate_data
from ...engine.build import build_runner
from .arithmetic import Measurement
from .clock import one_thread, peak_memory, synchronise
from .recipe import hooks_in_steps, settings_of

WARM_UP, STEPS = 1, 5
LONGEST = 60.0  # seconds of steps after which there are enough of them
IMAGES, LONGEST_LOADING = 300, 30.0
CPU_BATCH = 8
Progress = Callable[[str], None]


@LOOPS.register_module()
class MeasuringLoop(IterBasedTrainLoop):
    """mmengine's loop of iterations with a clock on each step: forward, backward, optimiser and
    hooks; not the loading of its batch.

    Attributes:
        seconds: Duration of each step after the warm-up.
        progress: Called after every step.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.seconds = []
        self.progress = None

    def run_iter(self, data_batch: dict) -> None:
        """One step."""
        synchronise()
        start = time.perf_counter()
        super().run_iter(data_batch)
        synchronise()
        elapsed = time.perf_counter() - start
        warm = self._iter > WARM_UP
        if warm:
            self.seconds.append(elapsed)
        self.stop_training = sum(self.seconds) > LONGEST
        note = '' if warm else ', not counted'
        self.progress(f'step {self._iter} of {self._max_iters}: {elapsed:.2f} s{note}')


def measure(cfg: Config, batch: int | None, progress: Progress) -> Measurement:
    """Measure a config on this machine: on one GPU, or the CPU.

    Args:
        cfg: The config; it is not changed.
        batch: Images in a batch; the config's by default, on a CPU at most 8.
        progress: Called with a line about what is going on.

    Raises:
        ValueError: If the training set is malformed or smaller than a batch, or the batch does not
            fit into the GPU's memory.
    """
    on_gpu, baseline = torch.cuda.is_available(), peak_memory()
    settings, cfg = settings_of(cfg), deepcopy(cfg)
    batch = batch or min(cfg.train_dataloader.batch_size, batch_limit(on_gpu))
    with tempfile.TemporaryDirectory(prefix='plan-') as folder:
        shorten(cfg, batch, Path(folder) / 'work')
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
            there = data_is_there(cfg)
            source = cfg.train_dataloader.dataset.get('data_root')
            if not there:
                progress('writing pictures')
                count = max(IMAGES, batch * (WARM_UP + STEPS))
                source = generate_data(cfg, Path(folder) / 'data', count)
            progress(f'reading the training set: {source}')
            dataset = DATASETS.build(cfg.train_dataloader.dataset)
            if len(dataset) < batch:
                raise ValueError(
                    f'Expected at least one batch of {batch} images, found {len(dataset)} in '
                    f'{source!r}; give a smaller --batch or another data_root.'
                )
            seconds, fixed, most = time_steps(cfg, dataset, progress)
            rate = loading_rate(dataset, progress)
            images = len(dataset) if there else None
    return Measurement(
        settings=settings,
        machine=machine(),
        date=date.today().isoformat(),
        batch=batch,
        seconds=seconds,
        peak_bytes=most - (0 if on_gpu else baseline),
        fixed_bytes=fixed,
        data_rate=rate,
        data_source=source,
        images=images,
    )


def batch_limit(on_gpu: bool) -> float:
    """The largest batch that is tried without being asked for."""
    return float('inf') if on_gpu else CPU_BATCH


def data_is_there(cfg: Config) -> bool:
    """Whether the folder of the training set exists."""
    return Path(cfg.train_dataloader.dataset.get('data_root') or '').expanduser().is_dir()


def shorten(cfg: Config, batch: int, work_dir: Path) -> None:
    """Turn a config into a run of some steps from random weights, without validation, checkpoints,
    accumulation and loading processes; whatever else acts on a step stays."""
    loader = cfg.train_dataloader
    loader.update(batch_size=batch, num_workers=0, persistent_workers=False)
    loader.pin_memory = torch.cuda.is_available()
    loader.pop('prefetch_factor', None)
    if 'total_batch_size' in loader.sampler:
        loader.sampler.total_batch_size = batch
    for split in ('val', 'test'):
        for part in ('dataloader', 'cfg', 'evaluator'):
            cfg[f'{split}_{part}'] = None
    cfg.train_cfg = ConfigDict(type='MeasuringLoop', max_iters=WARM_UP + STEPS)
    cfg.param_scheduler = None
    cfg.optim_wrapper.pop('accumulative_counts', None)
    cfg.default_hooks.checkpoint = None
    cfg.default_hooks.pop('report', None)
    cfg.custom_hooks = hooks_in_steps(cfg)
    cfg.model.backbone.init_cfg = None
    cfg.update(launcher='none', load_from=None, resume=False, log_level='ERROR')
    cfg.work_dir, cfg.experiment_name = str(work_dir), work_dir.parent.name


def time_steps(cfg: Config, dataset, progress: Progress) -> tuple[list[float], int, int]:
    """Run a shortened config.

    Returns:
        Seconds of each step, the bytes that do not grow with the batch, and the most memory taken.

    Raises:
        ValueError: If the GPU's memory is too small.
    """
    progress('building the model')
    loader_cfg = deepcopy(cfg.train_dataloader)
    loader_cfg.dataset = dataset
    runner = build_runner(cfg)
    # The data set is built once: listing a million files takes a while.
    runner._train_dataloader = Runner.build_dataloader(loader_cfg, seed=runner.seed)
    runner.train_loop.progress = progress
    try:
        runner.train()
    except torch.cuda.OutOfMemoryError as error:
        raise ValueError(
            f'Expected a batch of {loader_cfg.batch_size} images to fit into the memory of '
            f'{machine()}, found that it does not; give a smaller --batch, and set '
            'train_dataloader.batch_size to what fits.'
        ) from error
    seconds = runner.train_loop.seconds
    progress(f'a step takes {statistics.median(seconds):.3f} s')
    return seconds, fixed_bytes(runner), peak_memory()


def fixed_bytes(runner: Runner) -> int:
    """Bytes of weights, their averages, gradients and the optimiser's state."""
    averages = [hook.ema_model for hook in runner.hooks if hasattr(hook, 'ema_model')]
    weights = [
        tensor
        for model in (runner.model, *averages)
        for tensor in nn.ModuleList([model]).state_dict(keep_vars=True).values()
    ]
    gradients = [p for p in runner.model.parameters() if p.requires_grad]
    states = [
        value
        for state in runner.optim_wrapper.optimizer.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor)
    ]
    return sum(tensor.nbytes for tensor in (*weights, *gradients, *states))


def loading_rate(dataset, progress: Progress) -> float:
    """Images per second that one process with one thread loads, as a worker does."""
    indices = np.random.default_rng(0).integers(len(dataset), size=IMAGES)
    with one_thread():
        dataset[0]
        start, done = time.perf_counter(), 0
        for index in indices.tolist():
            dataset[index]
            done += 1
            if time.perf_counter() - start > LONGEST_LOADING:
                break
        rate = done / (time.perf_counter() - start)
    progress(f'one process loads {rate:.0f} images/s')
    return rate


def machine() -> str:
    """The GPU's name, or what the CPU can do."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    capability = torch.backends.cpu.get_cpu_capability()
    return f'CPU with {torch.get_num_threads()} threads ({platform.machine()}, {capability})'
