"""The suite: sections one after the other within a time limit, results written after each."""

import argparse
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import common
import pretrain_step
import sections
from sections import Settings
from timing import Progress, clock, free_memory, say

TITLE = 'Pretraining on one GPU'


class Section(NamedTuple):
    """What measures a section, and how many seconds it is expected to take on a fast GPU."""

    measure: Callable[[Settings], pretrain_step.Tables]
    seconds: float


# What matters most comes first: a limit cuts off the end. Seconds are those of an H200, rounded up.
SECTIONS = {
    'device': Section(sections.device, 3),
    'step, bfloat16': Section(sections.steps_in_bfloat16, 25),
    'compilation': Section(sections.compilation, 75),
    'kernels': Section(sections.kernels_of_a_step, 10),
    'larger model': Section(sections.larger_model, 35),
    'batch sweep': Section(sections.batch_sweep, 25),
    'masks of an image': Section(sections.numbers_of_masks, 8),
    'peak memory': Section(sections.memory, 15),
    'peak memory, larger model': Section(sections.memory_of_larger_model, 15),
    'data pipeline': Section(sections.pipeline, 15),
    'step, float32': Section(sections.steps_in_float32, 60),
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description='Measure pretraining on one GPU.')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/gpu_suite'))
    parser.add_argument(
        '--minutes', type=float, default=8.0, help='start no section that would end later'
    )
    parser.add_argument('--tiny', action='store_true', help='tiny models, to try the suite itself')
    parser.add_argument(
        '--sections', nargs='+', choices=SECTIONS, default=list(SECTIONS), metavar='SECTION',
        help=f'which of {", ".join(SECTIONS)}',
    )  # fmt: skip
    return parser.parse_args(argv)


def run(
    chosen: Mapping[str, Section], settings: Settings, minutes: float, out: Path
) -> tuple[pretrain_step.Tables, int]:
    """Measure the sections that fit into ``minutes``, and write what there is after each.

    A section that fails is reported in the tables, and those after it are measured still.

    Returns:
        The tables, and how many sections failed.
    """
    expected = {name: section.seconds for name, section in chosen.items()}
    progress = Progress(expected, 60 * minutes)
    tables: pretrain_step.Tables = {}
    failures = 0
    for name, section in chosen.items():
        progress.begin(name)
        result = progress.shortage(name)
        if result is None:
            began = progress.gone
            try:
                pretrain_step.extend(
                    tables, section.measure(settings._replace(seconds=progress.left))
                )
                result = f'measured in {clock(progress.gone - began)}'
            except Exception as error:  # whatever it is: the other sections are still worth having
                traceback.print_exc()
                result = f'failed: {type(error).__name__}: {str(error).partition(chr(10))[0]}'
                failures += 1
            free_memory()
        say(f'    {result}')
        pretrain_step.extend(tables, {'Sections': [dict(section=name, result=result)]})
        common.write(out, 'gpu_suite', TITLE, tables)
    return tables, failures


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and write; the exit status is 1 if a section failed."""
    args = parse_args(argv)
    chosen = {name: SECTIONS[name] for name in args.sections}
    settings = sections.TINY if args.tiny else sections.FULL
    tables, failures = run(chosen, settings, args.minutes, args.out)
    for name, rows in tables.items():
        say(f'\n## {name}\n\n{common.table(rows)}')
    say(f'\nwritten: {args.out / "gpu_suite.md"}, {args.out / "gpu_suite.json"}')
    return int(failures > 0)
