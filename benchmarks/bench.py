"""What the speed of this machine is: ``make bench``.

    python benchmarks/bench.py [--quick] [--dtypes float32] [--out work_dirs/bench]

The pretraining step beside the reference and mmpretrain's MAE, float32 and bfloat16, teacher
fractions, the data pipeline and peak memory, in one run. ``bench.json`` and ``bench.md`` are
written after every part. See README.md beside this file for what each table says.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import common
import contestants
import data_pipeline
import pretrain_step
from pretrain_step import Tables
from timing import Progress, clock, say

TITLE = 'Speed of pretraining'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--out', type=Path, default=Path('work_dirs/bench'), help='folder to write')
    parser.add_argument('--arch', choices=sorted(contestants.ARCHS), default='base')
    parser.add_argument(
        '--batch',
        type=pretrain_step.positive,
        help='images in a step; 64 on a GPU, 8 on a CPU, 2 with --quick by default',
    )
    parser.add_argument(
        '--dtypes',
        nargs='+',
        choices=pretrain_step.DTYPES,
        default=pretrain_step.DTYPES,
        help='precisions; both by default, though a CPU without bfloat16 instructions crawls in it',
    )
    parser.add_argument(
        '--budget', type=float, help='seconds for the rounds of each precision; 300, --quick 20'
    )
    parser.add_argument(
        '--quick', action='store_true', help='small batches and few rounds: a few minutes'
    )
    return parser.parse_args(argv)


def plan(args: argparse.Namespace) -> dict[str, tuple[float, Callable[[], Tables]]]:
    """The parts of the run: seconds that each is expected to take, and what measures it."""
    quick = args.quick
    batch = args.batch or (2 if quick else pretrain_step.default_batch())
    budget = args.budget or (20.0 if quick else 300.0)
    step = partial(pretrain_step.measure_steps, args.arch, batch, budget=budget)
    memory = partial(pretrain_step.measure_memory, args.arch, batch)
    pipeline = partial(data_pipeline.measure, 64 if quick else 512, 1 if quick else 3)
    parts = {f'step, {dtype}': (budget + 30, partial(step, dtype=dtype)) for dtype in args.dtypes}
    parts['data pipeline'] = (20 if quick else 90, pipeline)
    for dtype in args.dtypes[: 1 if quick else None]:
        parts[f'memory, {dtype}'] = (60 if quick else 120, partial(memory, dtype=dtype))
    return parts


def run(parts: Mapping[str, tuple[float, Callable[[], Tables]]], out: Path) -> Tables:
    """Measure part after part, writing what there is after each."""
    progress = Progress({name: seconds for name, (seconds, _) in parts.items()})
    tables: Tables = {}
    for name, (_, measure) in parts.items():
        progress.begin(name)
        pretrain_step.extend(tables, measure())
        common.write(out, 'bench', TITLE, tables)
    say(f'done in {clock(progress.gone)}')
    return tables


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    args = parse_args(argv)
    tables = run(plan(args), args.out)
    for name, rows in tables.items():
        say(f'\n## {name}\n\n{common.table(rows)}')
    say(f'\nwritten: {args.out / "bench.md"}, {args.out / "bench.json"}')


if __name__ == '__main__':
    main()
