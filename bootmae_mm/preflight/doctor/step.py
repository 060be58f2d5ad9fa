"""One training step of a config, made small enough for a CPU."""

import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from copy import deepcopy
from io import StringIO
from pathlib import Path

from mmengine.config import Config, ConfigDict

from ...data.synthetic.generated import generate_data
from ...encoder import BootMAEViT
from ...engine.build import build_runner
from ..data.files import Finding
from ..planning.measuring import data_is_there, shorten
from .case import Case

BATCH = 2
DIVISOR = 4  # of the pictures' sides in dense tasks
AUTOCAST = ('AutocastOptimWrapper', 'FeatureAutocastOptimWrapper')
SMALLEST = 64  # sides in pixels, below which pictures stay as they are


def check_step(case: Case) -> Iterator[Finding]:
    """Forward, backward and optimiser step with the run's own hooks, on generated pictures that
    went through its own pipeline.

    Raises:
        ValueError: If parts do not fit each other.
    """
    if case.model is None:
        yield Finding('note', 'Not tried, as the model cannot be built.')
        return
    cfg, start = deepcopy(case.cfg), time.perf_counter()
    reduced = reduce(cfg)
    with tempfile.TemporaryDirectory(prefix='doctor-') as folder:
        shorten(cfg, BATCH, Path(folder) / 'work')
        pictures = choose_pictures(cfg, Path(folder) / 'data')
        if pictures is None:
            yield Finding(
                'note', 'Not tried, as the training set is not there and of its own kind.'
            )
            return
        loss = take_step(cfg)
    if not math.isfinite(loss):
        yield Finding(
            'error',
            f'Expected a finite loss, found {loss}; look at the learning rate and the precision.',
        )
        return
    what, seconds = ', '.join([pictures, *reduced]), time.perf_counter() - start
    yield Finding('ok', f'Loss {loss:.3f} after {seconds:.0f} s: {what}.')


def choose_pictures(cfg: Config, folder: Path) -> str | None:
    """Have the config read pictures generated in ``folder``, or its own where that is not possible.

    Returns:
        Which ones, in words; None if there are none.
    """
    try:
        generate_data(cfg, folder, BATCH)
    except ValueError:  # a kind of data set that it does not know
        return f'{BATCH} of its own pictures' if data_is_there(cfg) else None
    return f'{BATCH} generated pictures'


def take_step(cfg: Config) -> float:
    """Run a shortened config for one step; returns its loss."""
    cfg.train_cfg = ConfigDict(type='IterBasedTrainLoop', max_iters=1)
    with redirect_stdout(StringIO()):  # pycocotools tells how it is getting on
        runner = build_runner(cfg)
        runner.train()
    return runner.message_hub.get_scalar('train/loss').current()


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
    """Divide the sides of a dense task's pictures: crops, scales, and what they are padded to."""
    pipeline = cfg.train_dataloader.dataset.pipeline
    places = [
        *((part, key) for part in pipeline for key in ('scale', 'crop_size')),
        (cfg.model.get('data_preprocessor') or {}, 'size'),
    ]
    sizes = [(part, key) for part, key in places if isinstance(part.get(key), list | tuple)]
    if any(min(part[key]) < DIVISOR * SMALLEST for part, key in sizes) or not sizes:
        return None
    for part, key in sizes:
        part[key] = tuple(side // DIVISOR for side in part[key])
    return f'pictures of a {DIVISOR}th of the side'
