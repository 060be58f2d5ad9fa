"""Reproduce the paper's tables.

python tools/reproduce.py list 2                       the rows of Table 2 and their configs
python tools/reproduce.py plan 2 --gpus 8              what is missing, its commands and cost
python tools/reproduce.py run 2 --gpus 8               run what is missing, go on with what stopped
python tools/reproduce.py run 2 --budget photos --data FOLDER      the same rows, small, on CPUs
python tools/reproduce.py run 2 --scripts jobs         write scripts for Slurm instead
python tools/reproduce.py record                       keep the results of runs that are done
python tools/reproduce.py table all                    the paper's numbers beside ours
python tools/reproduce.py pages [--check]              write docs/reproduction.md and the READMEs
"""

import argparse
import sys
import time
from pathlib import Path

from bootmae_mm.engine.tables import as_text
from bootmae_mm.studies.reproduction import (
    catalogue,
    launching,
    logs,
    pages,
    paper,
    photographs,
    records,
    scripts,
    tables,
)
from bootmae_mm.studies.reproduction.runs import CARD, FULL, PHOTOS, SIZES, Paths, Run


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest='command', required=True)
    for name in ('list', 'plan', 'run', 'table'):
        command = commands.add_parser(name)
        command.add_argument('tables', nargs='+', help='such as 1, 4a, 4, fig3, masks, or all')
        if name in ('plan', 'run'):
            command.add_argument('--budget', choices=(FULL, *SIZES), default=FULL)
            command.add_argument('--seeds', type=int, nargs='+', default=[0])
            command.add_argument('--gpus', type=int, default=8, help='processes of a full run')
            command.add_argument(
                '--rows', nargs='+', metavar='TEXT', help='only rows that have these words'
            )
            command.add_argument(
                '--data', type=Path, metavar='DIR',
                help='for --budget photos or card: has imagenet/{train,val}/CLASS, ade and coco',
            )  # fmt: skip
    run = commands.choices['run']
    run.add_argument('--jobs', type=int, default=1, help='runs at the same time; default 1')
    run.add_argument('--minutes', type=float, help='start nothing after so many minutes')
    run.add_argument('--scripts', type=Path, metavar='DIR', help='write scripts for Slurm there')
    commands.add_parser('record')
    commands.add_parser('pages').add_argument('--check', action='store_true')
    args = parser.parse_args(argv)
    for name in ('gpus', 'jobs'):
        if getattr(args, name, 1) < 1:
            parser.error(f'--{name} expects a number from 1 up, found {getattr(args, name)}')
    return args


def require_clone(paths: Paths) -> None:
    """Raise ``ValueError`` anywhere but in the root of a clone, where configs and results lie."""
    if not paths.configs.is_dir():
        raise ValueError(
            f'Expected the folder configs here, found none in {Path.cwd()}; go to the root of a '
            'clone of bootmae-mm.'
        )


def wanted_runs(args: argparse.Namespace) -> list[Run]:
    """The runs whose numbers the chosen rows need, seed by seed; their photographs are linked.

    Raises:
        ValueError: If no row is left, or photographs are given that are none or that nothing needs.
    """
    if args.data and args.budget == FULL:
        raise ValueError(
            f'Expected --budget {PHOTOS} or {CARD} with --data, found {args.budget}; leave --data '
            'out.'
        )
    if args.data:
        photographs.link(args.data)
    runs = dict.fromkeys(
        score.run
        for table in catalogue.select(args.tables)
        for row in table.rows
        for score in row.scores
        if score.run and chosen(row, args.rows)
    )
    if not runs:
        raise ValueError(f'Expected --rows to leave some rows, found none with {args.rows}.')
    return [run._replace(budget=args.budget, seed=seed) for seed in args.seeds for run in runs]


def chosen(row: paper.Row, texts: list[str] | None) -> bool:
    """Whether a row was asked for, in whole words: 'MAE 800' is not 'BootMAE 800'."""
    return texts is None or any(f' {text} ' in f' {" ".join(row.cells)} ' for text in texts)


def show_list(args: argparse.Namespace, paths: Paths) -> None:
    """Rows, their configs and starts, and their state."""
    for table in catalogue.select(args.tables):
        print(f'\n{table.heading}')
        lines = []
        for row in table.rows:
            for score in row.scores:
                value = tables.number(score.paper, score)
                lines.append((*row.cells, score.metric.title, value, *listed(score.run, paths)))
        header = (*table.header, 'score', 'paper', 'config', 'starts from', 'full run')
        print(as_text(header, lines))


def listed(run: Run | None, paths: Paths) -> tuple[str, str, str]:
    """Config, start and state of a run."""
    if run is None:
        return '–', '–', 'quoted'
    return run.config, ', '.join(run.starts(paths)) or '–', logs.state(run, paths)


def show_plan(args: argparse.Namespace, paths: Paths) -> None:
    """Commands and cost of what is missing."""
    from bootmae_mm.studies.reproduction import planning  # late: it imports PyTorch

    runs = launching.possible(wanted_runs(args), paths, print)
    left = launching.missing(runs, paths)
    if left:
        print(planning.plan(left, paths, args.gpus))
    else:
        print(
            'Nothing is missing: there is a record of every run below '
            f'{paths.results / args.budget}; remove one to run it again.'
        )


def run(args: argparse.Namespace, paths: Paths) -> int:
    """Run what is missing, or write scripts that do.

    Raises:
        ValueError: If scripts are asked for that Slurm has no use for.
    """
    if args.scripts and args.budget != FULL:
        raise ValueError(
            f'Expected full runs with --scripts, found --budget {args.budget}, whose runs are for '
            'the processors of this machine; leave one of the two out.'
        )
    runs = launching.possible(wanted_runs(args), paths, print)
    if args.scripts:
        print(scripts.write_scripts(launching.missing(runs, paths), paths, args.gpus, args.scripts))
        return 0
    deadline = float('inf') if args.minutes is None else time.time() + 60 * args.minutes
    left = launching.run_missing(runs, paths, args.jobs, args.gpus, deadline, say)
    for open_run in left:
        print(f'not done: {open_run.name}, seed {open_run.seed}')
    return 1 if left else 0


def say(text: str) -> None:
    """Show a line at once, with the time."""
    print(f'{time.strftime("%H:%M:%S")} {text}', flush=True)


def show_tables(args: argparse.Namespace, paths: Paths) -> None:
    """The paper's numbers beside ours."""
    kept = records.read_records(paths)
    for table in catalogue.select(args.tables):
        print(f'\n{table.heading}')
        print(pages.numbers(table, kept))
        for line in pages.remarks(table, kept):
            print(line)
    print(f'\nThe runs behind our numbers: {paths.results / "README.md"}')


def record(paths: Paths) -> None:
    """Keep what is done."""
    done = [
        run
        for run in launching.all_runs(paths)
        if logs.state(run, paths) == logs.DONE
    ]  # fmt: skip
    for finished in done:
        records.write_record(finished, launching.record_path(finished, paths), paths)
    print(f'{len(done)} runs are done and recorded in {paths.results}')


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    args, paths = parse_args(argv), Paths()
    try:
        require_clone(paths)
        if args.command == 'run':
            return run(args, paths)
        if args.command == 'pages':
            return pages.write_pages(paths, check=args.check, say=print)
        if args.command == 'record':
            record(paths)
        else:
            dict(list=show_list, plan=show_plan, table=show_tables)[args.command](args, paths)
    except ValueError as error:
        print(f'reproduce.py: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
