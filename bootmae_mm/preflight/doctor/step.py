"""One training step of a config, made small enough for a CPU."""

import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from copy import copy, deepcopy
from io import StringIO
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner

from ...data.files import some
from ...data.synthetic.generated import generate_data
from ...encoder import BootMAEViT
from ...engine.build import build_runner
from ..data.files import Finding, evenly_spaced
from ..planning.measuring import shorten
from .case import Case

BATCH, FEW = 4, 2  # pictures at most of the step, and of the validation
DIVISOR = 4  # of the pictures' sides in dense tasks
SIDES = ('scale', 'crop_size', 'size', 'stride')  # settings that have them
AUTOCAST = ('AutocastOptimWrapper', 'FeatureAutocastOptimWrapper')
SMALLEST = 64  # sides in pixels, below which pictures stay as they are


def check_step(case: Case) -> Iterator[Finding]:
    """Forward, backward and optimiser step with the run's own hooks on a few of its own pictures,
    and a validation of two; on generated pictures where there are no others.

    Raises:
        ValueError: If parts do not fit each other.
    """
    if case.model is None:
        yield Finding('note', 'Not tried, as the model cannot be built.')
        return
    if {'classes', 'data'} & case.wrong and built(case, 'train'):
        yield Finding('note', 'Not tried before what is told above is corrected.')
        return
    cfg, dataset, start = deepcopy(case.cfg), built(case, 'train'), time.perf_counter()
    count = min(BATCH, max(2, cfg.train_dataloader.batch_size))
    reduced = reduce(cfg)
    validation = [cfg.get('val_dataloader'), cfg.get('val_cfg')]
    with tempfile.TemporaryDirectory(prefix='doctor-') as folder:
        shorten(cfg, min(count, len(dataset)) if dataset else count, Path(folder) / 'work')
        if not dataset:
            try:
                generate_data(cfg, Path(folder) / 'data', count)
            except ValueError:  # a kind of data set that it does not know
                yield Finding('note', 'Not tried, as the training set cannot be built.')
                return
        with redirect_stdout(StringIO()):  # pycocotools tells how it is getting on
            runner = small_runner(cfg, case, *validation)
            runner.train()
    values = {name: log.current() for name, log in runner.message_hub.log_scalars.items()}
    loss = values['train/loss']
    if not math.isfinite(loss):
        yield Finding(
            'error',
            f'Expected a finite loss, found {loss}; look at the learning rate and the precision.',
        )
        return
    pictures = f'{cfg.train_dataloader.batch_size} {"of its" if dataset else "generated"} pictures'
    what, seconds = ', '.join([pictures, *reduced]), time.perf_counter() - start
    yield Finding('ok', f'Loss {loss:.3f} after {seconds:.0f} s: {what}.')
    measured = [name.removeprefix('val/') for name in values if name.startswith('val/')]
    yield from validation_findings(case, [m for m in measured if m not in ('time', 'data_time')])


def validation_findings(case: Case, metrics: list[str]) -> Iterator[Finding]:
    """What the validation measured, and whether the best checkpoint is chosen by any of it."""
    if not metrics:
        return
    best = (case.cfg.get('default_hooks') or {}).get('checkpoint', {}).get('save_best') or []
    for name in [best] if isinstance(best, str) else best:
        if name != 'auto' and name not in metrics:
            yield Finding(
                'error',
                'Expected one of the metrics of the validation as '
                f'default_hooks.checkpoint.save_best, found {name!r}; set it to one of '
                f'{", ".join(metrics)}.',
            )
    yield Finding('ok', f'Validation of {FEW} pictures: {some(metrics)}.')


def built(case: Case, split: str):
    """A data set; None if there is none or it cannot be built."""
    dataset = case.datasets.get(split)
    return None if isinstance(dataset, Exception) else dataset


class Few:
    """A few elements of a data set, at equal distances.

    Args:
        dataset: The data set, or a wrapper of some.
        count: How many at most.
    """

    def __init__(self, dataset, count: int) -> None:
        self.dataset, self.metainfo = dataset, getattr(dataset, 'metainfo', {})
        self.indices = evenly_spaced(range(len(dataset)), count)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int):
        return self.dataset[self.indices[index]]


def small_runner(
    cfg: Config, case: Case, val_dataloader: ConfigDict | None, val_cfg: ConfigDict | None
) -> Runner:
    """A run of one step and, where there are pictures to validate, one validation of a few.

    Args:
        cfg: The shortened config.
        case: The run, whose data sets and evaluator are used as far as they could be built.
        val_dataloader: The config's, with smaller pictures.
        val_cfg: The config's.
    """
    cfg.train_cfg = ConfigDict(type='IterBasedTrainLoop', max_iters=1)
    runner = build_runner(cfg)
    train, val = built(case, 'train'), built(case, 'val')
    if train:
        train = with_pipeline(train, cfg.train_dataloader.dataset)
        loader = dict(cfg.train_dataloader, dataset=train)
        runner._train_dataloader = Runner.build_dataloader(loader, seed=runner.seed)
    evaluator = case.evaluators.get('val')
    usable = isinstance(evaluator, Evaluator) and 'metrics' not in case.wrong
    if train and val and usable:
        val = Few(with_pipeline(val, val_dataloader.dataset), FEW)
        loader = dict(val_dataloader, dataset=val, num_workers=0, persistent_workers=False)
        loader.pop('prefetch_factor', None)
        runner._val_dataloader = Runner.build_dataloader(loader, seed=runner.seed)
        runner._val_evaluator, runner._val_loop = evaluator, val_cfg
    return runner


def with_pipeline(dataset, cfg: ConfigDict):
    """The data set with the pipeline that ``cfg`` has; a wrapper of some as it is."""
    if 'pipeline' not in cfg:
        return dataset
    dataset = copy(dataset)
    dataset.pipeline = Compose(cfg.pipeline)
    return dataset


def reduce(cfg: Config) -> list[str]:
    """Make a config's step cheap, in place; returns what was changed."""
    done = [reduce_depth(cfg.model), reduce_precision(cfg.optim_wrapper)]
    if cfg.get('default_scope') in ('mmseg', 'mmdet'):
        done.append(reduce_pictures(cfg))
    return [what for what in done if what]


def reduce_depth(model: ConfigDict) -> str | None:
    """Leave out the encoder's blocks that nothing but the next block reads."""
    backbone = model.get('backbone') or {}
    if str(backbone.get('type')).rpartition('.')[2] != 'BootMAEViT':
        return None
    arch = dict(BootMAEViT.settings_of(backbone.get('arch', 'base')))
    depth, outputs = arch['num_layers'], backbone.get('out_indices', -1)
    outputs = [outputs] if isinstance(outputs, int) else list(outputs)
    decoders = [model[name] for name in ('regressor', 'predictor') if model.get(name)]
    taps = [d.context_layer for d in decoders if d.get('context_layer') is not None]
    blocks = list(backbone.get('global_blocks', ()))
    kept = sorted({0, depth - 1, *(index % depth for index in [*outputs, *taps, *blocks])})
    if len(kept) == depth:
        return None
    backbone.arch = {**arch, 'num_layers': len(kept)}
    backbone.out_indices = [kept.index(index % depth) for index in outputs]
    if blocks:
        backbone.global_blocks = [kept.index(index) for index in blocks]
    if backbone.get('frozen_stages', -1) > 0:
        backbone.frozen_stages = sum(index < backbone.frozen_stages for index in kept)
    for decoder in decoders:
        if decoder.get('context_layer') is not None:
            decoder.context_layer = kept.index(decoder.context_layer % depth)
    return f'{len(kept)} of {depth} blocks'


def reduce_precision(wrapper: ConfigDict) -> str | None:
    """Compute in float32: CPUs emulate bfloat16 and float16, if they have them at all."""
    if wrapper.get('type') == 'AmpOptimWrapper':
        wrapper.type = 'OptimWrapper'
        for name in ('dtype', 'loss_scale', 'use_fsdp'):
            wrapper.pop(name, None)
    elif wrapper.get('type') in AUTOCAST and wrapper.get('dtype') != 'float32':
        wrapper.dtype = 'float32'
    else:
        return None
    return 'in float32'


def reduce_pictures(cfg: Config) -> str | None:
    """Divide the sides of a dense task's pictures: crops, scales, what they are padded to, and the
    windows of a test."""
    loaders = [cfg.train_dataloader, cfg.get('val_dataloader') or {}]
    pipelines = [(loader.get('dataset') or {}).get('pipeline') for loader in loaders]
    parts = [*(part for pipeline in pipelines for part in pipeline or ())]
    parts += [cfg.model.get(name) or {} for name in ('data_preprocessor', 'test_cfg')]
    places = {id(part): part for part in parts}.values()  # a step may be in two pipelines
    sizes = [(p, k) for p in places for k in SIDES if isinstance(p.get(k), list | tuple)]
    if any(min(part[key]) < DIVISOR * SMALLEST for part, key in sizes) or not all(pipelines[:1]):
        return None
    for part, key in sizes:
        part[key] = tuple(side // DIVISOR for side in part[key])
    return f'pictures of a {DIVISOR}th of the side' if sizes else None
