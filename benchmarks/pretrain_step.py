"""The pretraining step: the reference, ours and mmpretrain's MAE, in one run and in turn.

    python benchmarks/pretrain_step.py [--arch base] [--batch 8] [--dtypes float32 bfloat16]
                                       [--budget 300] [--out DIR]

Speeds are ratios of medians. See README.md beside this file for what each table says.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import common
import contestants
import products
import torch
from contestants import Contestant
from mmengine.device import get_device
from timing import free_memory, if_it_fits, in_turn_within, say

FRACTIONS = (0.25, 0.5, 0.75)
DTYPES = ('float32', 'bfloat16')
PAPER = {0.25: 1.16, 0.5: 0.98, 0.75: 0.80, 1.0: 0.72}  # Table 5, relative to MAE
SYNCHRONISED = 'called a synchronizing CUDA operation'
MEMORY = dict(reference={}, ours={}, checkpointed=dict(checkpointed=True), mae={})
Tables = dict[str, list[dict]]


def default_batch() -> int:
    """Images in a step: as many as keep a GPU busy, or as a CPU bears."""
    return 64 if torch.cuda.is_available() else 8


def measure(
    arch: str = 'base',
    batch: int | None = None,
    dtypes: Sequence[str] = DTYPES,
    budget: float = 300.0,
    memory_dtypes: Sequence[str] | None = None,
    written: Callable[[Tables], None] = lambda tables: None,
) -> Tables:
    """All tables of the step.

    Args:
        arch: 'base', 'large', or 'tiny', which is for tests.
        batch: Images in a step; 8 on a CPU and 64 on a GPU by default.
        dtypes: Precisions: 'float32', 'bfloat16' (mixed).
        budget: Seconds for the rounds of each precision; a warm-up and a round are always made.
        memory_dtypes: Precisions to measure peak memory in; all of ``dtypes`` by default.
        written: Called with the tables so far after every part.
    """
    batch = batch or default_batch()
    tables: Tables = {}
    for dtype in dtypes:
        extend(tables, measure_steps(arch, batch, dtype, budget))
        written(tables)
    for dtype in dtypes if memory_dtypes is None else memory_dtypes:
        extend(tables, measure_memory(arch, batch, dtype))
        written(tables)
    return tables


def extend(tables: Tables, more: Mapping[str, list[dict]]) -> None:
    """Append rows to the tables of the same name."""
    for name, rows in more.items():
        tables.setdefault(name, []).extend(rows)


def measure_steps(arch: str, batch: int, dtype: str, budget: float) -> Tables:
    """What is measured with reference, ours and MAE side by side in one precision."""
    built = if_it_fits(time_steps, arch, batch, dtype, budget)
    if built is None:
        row = dict(architecture=arch, precision=dtype, batch=batch, result='out of memory')
        return {'Steps that did not fit': [row]}
    return built


def time_steps(arch: str, batch: int, dtype: str, budget: float) -> Tables:
    """The tables of :func:`measure_steps`."""
    found = {kind: contestants.build(kind, arch, batch, dtype) for kind in contestants.KINDS}
    ours = found['ours']
    steps: dict[str | float, Callable] = {**found, 'ours': ours.with_fraction(1.0)}
    steps.update({fraction: ours.with_fraction(fraction) for fraction in FRACTIONS})
    times = in_turn_within(steps, budget)
    ours.model.teacher.fraction = 1.0
    seconds = common.medians(times)
    case = dict(architecture=arch, precision=dtype, batch=batch)
    rounds = len(times['ours'])
    return {
        'Step': [speed(case, kind, seconds, batch, rounds) for kind in found],
        'Share of the image that the teacher sees': [
            fraction_row(case, fraction, seconds, batch, rounds) for fraction in (*FRACTIONS, 1.0)
        ],
        'Teacher in the step': teacher_rows(case, ours, seconds['ours']),
        'Matrix products of the step': product_rows(case, found, seconds),
        'Times that the host waits for the device in a step': [
            dict(case, step=kind, times=host_waits(step)) for kind, step in found.items()
        ],
    }


def speed(case: dict, kind: str, seconds: Mapping, batch: int, rounds: int) -> dict:
    """A row of the main table."""
    return dict(
        case,
        step=kind,
        seconds=seconds[kind],
        **{
            'images/s': batch / seconds[kind],
            'speed / reference': seconds['reference'] / seconds[kind],
            'speed / MAE': seconds['mae'] / seconds[kind],
        },
        rounds=rounds,
    )


def fraction_row(case: dict, fraction: float, seconds: Mapping, batch: int, rounds: int) -> dict:
    """A row of the teacher fractions, beside the paper's ratio on an A100."""
    own = seconds['ours' if fraction == 1 else fraction]
    return dict(
        case,
        **{
            'teacher sees': f'{fraction:.0%}',
            'seconds': own,
            'images/s': batch / own,
            'speed / MAE': seconds['mae'] / own,
            'paper': PAPER[fraction],
        },
        rounds=rounds,
    )


def teacher_rows(case: dict, ours: Contestant, step: float) -> list[dict]:
    """How long the teacher's two parts take, of a step's median."""
    repeats = 5 if torch.cuda.is_available() else 1
    forward = statistics.median(teacher_forward(ours) for _ in range(repeats))
    teacher = ours.model.teacher
    update = teacher.follow(ours.model.backbone)
    moved = statistics.median(common.seconds(update) for _ in range(3))
    parts = {'forward': forward, 'update': moved, 'together': forward + moved}
    return [
        dict(case, part=part, seconds=value, **{'share of the step': percent(value / step)})
        for part, value in parts.items()
    ]


def teacher_forward(ours: Contestant) -> float:
    """Seconds of the teacher's forward pass within a step."""
    spans: list[float] = []

    def enter(*_) -> None:
        common.synchronise()
        spans.append(-time.perf_counter())

    def leave(*_) -> None:
        common.synchronise()
        spans[-1] += time.perf_counter()

    teacher = ours.model.teacher
    hooks = teacher.register_forward_pre_hook(enter), teacher.register_forward_hook(leave)
    ours()
    for hook in hooks:
        hook.remove()
    return sum(spans)


def product_rows(case: dict, found: Mapping[str, Contestant], seconds: Mapping) -> list[dict]:
    """Operations of the steps, and how near they come to what the machine's products reach."""
    rows = []
    for kind, contestant in found.items():
        counted = contestant.products(contestant.batch)
        dtype = getattr(torch, case['precision'])
        limit = products.ceiling(counted, dtype, get_device())
        largest = products.largest_rate(dtype, get_device())
        reached = products.operations(counted) / seconds[kind]
        parts = products.by_part(counted)
        total = sum(parts.values())
        split = ', '.join(f'{part} {percent(value / total)}' for part, value in parts.items())
        rows.append(
            dict(
                case,
                step=kind,
                **{
                    'Gop / image': total / contestant.batch / 1e9,
                    'Gop/s': reached / 1e9,
                    'products alone, Gop/s': limit / 1e9,
                    'share': percent(reached / limit),
                    'share of one large product': percent(reached / largest),
                    'parts': split,
                },
            )
        )
    return rows


def percent(share: float) -> str:
    """With a digit after the point below ten."""
    return f'{100 * share:.{0 if share >= 0.0995 else 1}f} %'


def host_waits(step: Callable[[], object]) -> int | None:
    """How often the host waits for the GPU in a step, by PyTorch's own count, which leaves out
    other libraries; None without a GPU."""
    if not torch.cuda.is_available():
        return None
    common.synchronise()
    torch.cuda.set_sync_debug_mode('warn')
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            step()
    finally:
        torch.cuda.set_sync_debug_mode('default')
    return sum(SYNCHRONISED in str(warning.message) for warning in caught)


def measure_memory(arch: str, batch: int, dtype: str) -> Tables:
    """Peak memory of two steps from the model's construction on: on a GPU the largest memory
    allocated, on a CPU what a process of its own takes beyond its imports."""
    rows = []
    for name, options in MEMORY.items():
        kind = 'ours' if options else name
        label = 'ours, blocks checkpointed' if options else name
        say(f'    memory of {label}, {dtype}')
        run = (peak_memory, kind, arch, batch, dtype, options)
        on_gpu = torch.cuda.is_available()
        peak = if_it_fits(*run) if on_gpu else common.in_own_process(*run)
        rows.append(
            dict(
                architecture=arch,
                precision=dtype,
                batch=batch,
                step=label,
                **{'GiB': 'out of memory' if peak is None else peak / 2**30},
            )
        )
    return {'Peak memory of a step': rows}


def peak_memory(kind: str, arch: str, batch: int, dtype: str, options: dict) -> int:
    """Bytes that building a contestant and two of its steps add at most."""
    before = common.peak_memory()
    if torch.cuda.is_available():
        free_memory()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    contestant = contestants.build(kind, arch, batch, dtype, **options)
    contestant()
    contestant()
    return common.peak_memory() - before


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--arch', choices=sorted(contestants.ARCHS), default='base')
    parser.add_argument('--batch', type=positive, help='images in a step; 8 on a CPU, 64 on a GPU')
    parser.add_argument('--dtypes', nargs='+', choices=DTYPES, default=DTYPES)
    parser.add_argument(
        '--budget', type=float, default=300.0, help='seconds for the rounds of each precision'
    )
    parser.add_argument('--out', type=Path, help='folder to write the tables into')
    return parser.parse_args(argv)


def positive(text: str) -> int:
    """A whole number from 1 up, as a type of argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected a whole number from 1 up, found {text!r}')
    return int(text)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    args = parse_args(argv)

    def written(tables: Tables) -> None:
        if args.out:
            common.write(args.out, 'pretrain_step', 'The pretraining step', tables)

    tables = measure(args.arch, args.batch, args.dtypes, args.budget, written=written)
    for name, rows in tables.items():
        say(f'\n## {name}\n\n{common.table(rows)}')


if __name__ == '__main__':
    main()
