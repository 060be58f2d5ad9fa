"""What the suite measures; every section is a function from its settings to tables."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import common
import contestants
import data_pipeline
import kernels
import pretrain_step
import products
import torch
from contestants import Contestant
from mmengine.device import get_device
from pretrain_step import Tables, percent
from timing import if_it_fits, in_turn_within, say
from torch._dynamo.utils import counters


class Settings(NamedTuple):
    """Sizes of the measurements; ``seconds`` is what is left for a section and those after it."""

    arch: str
    larger_arch: str
    batch: int
    batches: Sequence[int]
    images: int
    budget: float
    seconds: float = float('inf')


FULL = Settings('base', 'large', 256, (64, 128, 256, 512, 1024), images=512, budget=12)
TINY = Settings('tiny', 'tiny', 2, (1, 2, 4), images=4, budget=0)
NUMBERS_OF_MASKS = (1, 2, 4)
LARGE_COPY = 2**30  # bytes
SWEEP = ('ours, images/s', 'MAE, images/s', 'ours / MAE', 'ours, share')


def device(settings: Settings) -> Tables:
    """What the device does at its best: products of two large matrices, a copy."""
    rates = {
        f'product, {name}': (products.largest_rate(getattr(torch, name), get_device()), 'Gop/s')
        for name in pretrain_step.DTYPES
    }
    size = LARGE_COPY if torch.cuda.is_available() else 2**20
    source = torch.randint(256, (size,), dtype=torch.uint8, device=get_device())
    copy = torch.empty_like(source)
    seconds = products.median_of(lambda: copy.copy_(source), 10)
    rates['copy, read and written'] = (2 * size / seconds, 'GB/s')
    rows = [dict(what=what, rate=rate / 1e9, unit=unit) for what, (rate, unit) in rates.items()]
    return {'Device': rows}


def kernels_of_a_step(settings: Settings) -> Tables:
    """Where the device's time goes in a step of ours and of MAE."""
    traces, operations = {}, {}
    for kind in ('ours', 'mae'):
        contestant = contestants.build(kind, settings.arch, settings.batch, 'bfloat16')
        contestant()
        traces[kind] = kernels.trace(contestant)
        operations[f'Longest operations of {kind}'] = kernels.operations(contestant)
    return kernels.tables(traces) | operations


def numbers_of_masks(settings: Settings) -> Tables:
    """Masked views a second of ours where several of an image share the teacher's pass, the
    views in a step being the same."""
    ours = contestants.build('ours', settings.arch, settings.batch, 'bfloat16')
    images = {count: max(1, settings.batch // count) for count in NUMBERS_OF_MASKS}
    steps = {
        count: ours._replace(data=contestants.make_batch(settings.arch, images[count], count))
        for count in NUMBERS_OF_MASKS
    }
    seconds = common.medians(in_turn_within(steps, settings.budget / 2))
    return {
        'Masks of an image': [
            {
                'architecture': settings.arch,
                'precision': 'bfloat16',
                'masks': count,
                'images': images[count],
                'seconds': seconds[count],
                'masked views/s': count * images[count] / seconds[count],
                'images/s': images[count] / seconds[count],
            }
            for count in NUMBERS_OF_MASKS
        ]
    }


def steps_in_bfloat16(settings: Settings) -> Tables:
    """Reference, ours and MAE; fractions; the teacher's share; what of the ceiling is reached."""
    return pretrain_step.measure_steps(settings.arch, settings.batch, 'bfloat16', settings.budget)


def steps_in_float32(settings: Settings) -> Tables:
    """The same in float32, in PyTorch's default precision of products (no TF32)."""
    return pretrain_step.measure_steps(settings.arch, settings.batch, 'float32', settings.budget)


def larger_model(settings: Settings) -> Tables:
    """The same with ViT-L."""
    return pretrain_step.measure_steps(
        settings.larger_arch, settings.batch, 'bfloat16', settings.budget
    )


def pipeline(settings: Settings) -> Tables:
    """Images per second and core, on this machine's processor."""
    return data_pipeline.measure(settings.images, rounds=1)


def memory(settings: Settings) -> Tables:
    """Peak memory with and without activation checkpointing."""
    return pretrain_step.measure_memory(settings.arch, settings.batch, 'bfloat16')


def memory_of_larger_model(settings: Settings) -> Tables:
    """The same with ViT-L."""
    return pretrain_step.measure_memory(settings.larger_arch, settings.batch, 'bfloat16')


def batch_sweep(settings: Settings) -> Tables:
    """Images per second of ours and of MAE, from the smallest batch up to where memory ends."""
    largest = max(settings.batches)
    built = {
        kind: contestants.build(kind, settings.arch, largest, 'bfloat16')
        for kind in ('ours', 'mae')
    }
    rows, start, last = [], time.perf_counter(), 0.0
    for batch in sorted(settings.batches):
        began = time.perf_counter()
        case = dict(architecture=settings.arch, precision='bfloat16', batch=batch)
        row = {**case, **dict.fromkeys(SWEEP), 'result': 'out of memory'}
        rows.append(row)
        if 2 * last > settings.seconds - (began - start):
            row['result'] = 'skipped: no time left'
            continue
        found = if_it_fits(time_batch, built, batch, settings.budget / len(settings.batches))
        row.update(found or {})
        if found is None:
            break
        last = time.perf_counter() - began
    return {'Batch sweep': rows}


def time_batch(built: dict[str, Contestant], batch: int, budget: float) -> dict:
    """A row of the sweep."""
    at = {kind: contestant.of(batch) for kind, contestant in built.items()}
    seconds = common.medians(in_turn_within(at, budget))
    counted = at['ours'].products(batch)
    limit = products.ceiling(counted, torch.bfloat16, get_device())
    return {
        'ours, images/s': batch / seconds['ours'],
        'MAE, images/s': batch / seconds['mae'],
        'ours / MAE': seconds['mae'] / seconds['ours'],
        'ours, share': percent(products.operations(counted) / seconds['ours'] / limit),
        'result': 'measured',
    }


def compilation(settings: Settings) -> Tables:
    """Ours and MAE with their blocks compiled and not, in turn; the graphs that were compiled in
    the first steps and, which should be none, in those after them; the kernels of ours, compiled.
    Compiling MAE is left out where the time that ours took is not left. Twice as many images as
    elsewhere, so that the device, not the host, sets the pace."""
    batch = 2 * settings.batch
    torch._dynamo.reset()
    start = time.perf_counter()
    built, first = {}, {}
    for kind, compiled in (('ours', False), ('mae', False), ('ours', True), ('mae', True)):
        name = f'{kind}, compiled' if compiled else kind
        left = settings.seconds - settings.budget - (time.perf_counter() - start)
        if compiled and kind == 'mae' and first['ours, compiled'][0] > left:
            say(f'    {name}: skipped, {left:.0f} s are left')
            continue
        built[name] = contestants.build(kind, settings.arch, batch, 'bfloat16', compiled=compiled)
        first[name] = first_steps(built[name])
        say(f'    {name}: first steps took {first[name][0]:.0f} s')
    before = graphs()
    seconds = common.medians(in_turn_within(built, settings.budget))
    later = graphs() - before
    case = dict(architecture=settings.arch, precision='bfloat16', batch=batch)
    rows = [
        dict(case, **compilation_row(name, built[name], seconds, first[name], later))
        for name in built
    ]
    name = 'ours, compiled'
    return {'Compilation': rows} | kernels.tables({name: kernels.trace(built[name])})


def compilation_row(
    name: str, contestant: Contestant, seconds: dict, first: tuple[float, int], later: int
) -> dict:
    """What is told of a form: its speed, and what compiling took."""
    reached = products.operations(contestant.products(contestant.batch)) / seconds[name]
    began, compiled_graphs = first
    return {
        'step': name,
        'seconds': seconds[name],
        'images/s': contestant.batch / seconds[name],
        'speed / MAE': seconds['mae'] / seconds[name],
        'Gop/s': reached / 1e9,
        'first two steps, s': began,
        'graphs in the first two': compiled_graphs,
        'graphs later, all forms': later,
    }


def first_steps(contestant: Contestant) -> tuple[float, int]:
    """Seconds of two steps, and the graphs compiled in them."""
    before = graphs()
    start = time.perf_counter()
    contestant()
    contestant()
    common.synchronise()
    return time.perf_counter() - start, graphs() - before


def graphs() -> int:
    """How many graphs PyTorch's compiler has made in this process."""
    return counters['stats']['unique_graphs']
