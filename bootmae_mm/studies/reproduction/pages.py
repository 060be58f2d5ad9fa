"""The pages made from the tables, the records and the configs: docs/reproduction.md,
results/README.md and the READMEs of the config folders. They are checked for staleness by the
tests."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

from ...engine.tables import as_markdown
from . import figures, tables
from .beyond import LENGTH
from .catalogue import TABLES
from .cells import Table
from .launching import typed, with_origins
from .records import read_records
from .runs import KINDS, SIZES, Paths, is_pretraining

INTRODUCTION = """# The paper's tables, and ours

```bash
python tools/reproduce.py plan 2    # the commands of Table 2 that are missing, and their cost
python tools/reproduce.py run 2     # run them; --budget photos: smaller, on CPUs
python tools/reproduce.py pages     # write this page; do not edit it
```

Ours come from the logs of runs: [commands and runs](../results/README.md). A dash: not run. In
brackets: the paper quotes the number. "Photographs" are 64 pixels small and so are the encoders:
such numbers compare with each other only.

± is the standard deviation over as many seeds as stand in brackets; each pretrains anew. Pairs of
rows are undecided where they are closer than twice the standard error of their difference.
"""
RUNS = """# Commands and runs

Made by `python tools/reproduce.py pages`; do not edit. Rows that differ in their pretraining alone
share a config: each command names the checkpoint to start from. Weights in `checkpoints/` are those
of other projects, to be put there first.
"""
TITLES = dict(
    pretrain='Pretraining', finetune='Fine-tuning on ImageNet-1K',
    linear='Linear probes on ImageNet-1K',
    seg='Segmentation, UperNet on ADE20K', det='Detection, Mask R-CNN on COCO',
)  # fmt: skip
BELOW = dict(
    ablations='BootMAE with one thing changed, Tables 2, 4, 5 and 8, and masks and pixel targets.',
    mae='MAE, and what the paper changes in it, Tables 1, 3, 5 and 9.',
    baselines="other projects' encoders, and none, with their input and form.",
)  # fmt: skip


def markdown(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table; a number and its spread stay on one line."""
    whole = [
        [cell.replace(' ', '\N{NO-BREAK SPACE}') if '±' in cell else cell for cell in row]
        for row in rows
    ]
    return as_markdown(header, whole)


def shown(
    header: tuple[str, ...], rows: list[tuple[str, ...]]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A table as a page has it: no column without a number, and none that has the same score in
    every row."""
    columns = [{row[k] for row in rows} for k in range(len(header))]
    kept = [
        k
        for k, found in enumerate(columns)
        if found != {'–'} and not (header[k] == 'score' and len(found) == 1)
    ]
    return tuple(header[k] for k in kept), [tuple(row[k] for k in kept) for row in rows]


def remarks(table: Table, records: tables.Records) -> list[str]:
    """What has to be said of a table, and how far small runs order its rows as the paper does."""
    said = [table.note] if table.note else []
    metrics = {score.metric for score in table.scores}
    if table.beyond:
        return said
    if len(metrics) == 1:
        said.append('Scores: {0.title}, {0.unit}.'.format(*metrics))
    for budget in SIZES:
        for name, pairs in tables.agreement(table, records, budget).items():
            by = f' by {name}' if len(metrics) > 1 else ''
            said.append(
                f'Pairs of {tables.COLUMNS[budget]}{by}: {pairs.alike} as in the paper, '
                f'{pairs.reversed} reversed, {pairs.undecided} undecided.'
            )
    return said


def reproduction_page(paths: Paths) -> str:
    """docs/reproduction.md."""
    records = read_records(paths)
    parts = [INTRODUCTION, spent(records, paths)]
    for table in TABLES.values():
        said = ' '.join(remarks(table, records))
        parts.append(f'\n## {table.heading}\n\n{numbers(table, records)}\n\n{said}\n')
        parts.append(f'\nConfigs: {links(table, paths)}\n')
    return ''.join(parts)


def numbers(table: Table, records: tables.Records) -> str:
    """A table of the paper beside our numbers; of ours beyond it, our numbers of every budget."""
    if not table.beyond:
        return markdown(*shown(*tables.rows_of(table, records)))
    found = {name: tables.scores_of(table, records, b) for b, name in tables.COLUMNS.items()}
    made = {name: markdown(*cells) for name, cells in found.items() if cells[1]}
    parts = (f'{name.capitalize()}:\n\n{cells}' for name, cells in made.items())
    return '\n\n'.join(parts) or 'Not run.'


def runs_page(paths: Paths) -> str:
    """results/README.md: the commands of every table, and where our numbers come from."""
    records = read_records(paths)
    parts = [RUNS]
    for table in TABLES.values():
        parts.append(f'\n## {table.heading}\n\n```bash\n{commands(table, paths)}\n```\n')
        if lines := tables.provenance(table, records):
            parts.append(f'\n{markdown(tables.PROVENANCE, lines)}\n')
    return ''.join(parts)


def spent(records: tables.Records, paths: Paths) -> str:
    """What the smaller runs cost: those of the paper's tables, and the others."""
    rows = {run.name for table in TABLES.values() if not table.beyond for run in table.runs}
    said = []
    for budget in SIZES:
        kept = {run: record for run, record in records.items() if run.budget == budget}
        asked = [run for run in kept if run.name in rows]
        needed = set(with_origins(asked, paths, is_done=lambda run: False))
        hours, more = (
            [record['cpu_hours'] or 0 for run, record in kept.items() if (run in needed) is wanted]
            for wanted in (True, False)
        )
        beyond = f", and {len(more)} beyond the paper's tables {sum(more):.2f}" if more else ''
        if kept:
            said.append(
                f'{tables.COLUMNS[budget].capitalize()}: {len(hours)} runs took {sum(hours):.2f} '
                f'hours of processor time{beyond}. '
            )
    return f'\n{"".join(said)}[How they are read](reduced_study.md).\n' if said else ''


def links(table: Table, paths: Paths) -> str:
    """The configs of a table's runs and of the pretrainings that they start from, each once."""
    configs = dict.fromkeys(
        config
        for run in table.runs
        for config in (*filter(is_pretraining, run.starts(paths)), run.config)
    )
    return ', '.join(f'[{Path(config).name}](../configs/{config}.py)' for config in configs)


def commands(table: Table, paths: Paths) -> str:
    """The command of every run of a table, on 8 GPUs."""
    return '\n'.join(typed(run, paths, gpus=8) for run in table.runs)


def folder_page(kind: str, paths: Paths) -> str:
    """The README of a config folder: every config with its title and what to expect; those of the
    folders below it, which are rows of tables, by their number."""
    folder, rows = paths.configs / kind, []
    for path in sorted(folder.glob('*.py')):
        title, facts = describe(path)
        rows.append((f'[{path.stem}]({path.name})', title, facts.get('Expect', '–')))
    more = [
        f'- [`{below.name}/`]({below.name}), {len(list(below.glob("*.py")))} configs: '
        f'{BELOW[below.name]}\n'
        for below in sorted(path for path in folder.iterdir() if path.is_dir())
    ]
    return (
        f'# {TITLES[kind]}\n\n{call(kind)}\n'
        "The numbers to expect are the paper's; [ours](../../docs/reproduction.md). "
        'Made by `python tools/reproduce.py pages`.\n\n'
        f'{markdown(("config", "what", "expect"), rows)}\n\n{"".join(more)}'
    )


def call(kind: str) -> str:
    """How the configs of a folder are run."""
    line = f'tools/dist_train.sh configs/{kind}/CONFIG.py 8'
    if kind == 'pretrain':
        return f'```bash\n{line}\n```\n'
    option = '--cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT'
    return (
        f'```bash\n{line} \\\n    {option}\n```\n\n'
        'Rows of the paper that share a config differ in the checkpoint: [their '
        'commands](../../results/README.md).\n'
    )


def describe(path: Path) -> tuple[str, dict[str, str]]:
    """The first sentence of a config's docstring, and its facts ('Expect', 'Cost', ...)."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ''
    title = ' '.join(text.split('\n\n')[0].split()).partition('. ')[0].rstrip('.')
    facts = {}
    for found in re.finditer(r'^([A-Z]\w+)  +(.+(?:\n {5,}\S.*)*)', text, re.MULTILINE):
        facts[found[1]] = ' '.join(found[2].split())
    return title, facts


def write_pages(paths: Paths, check: bool, say: Callable[[str], None]) -> int:
    """Write the pages, or say which are stale; returns the exit status."""
    made = {paths.configs.parent / 'docs/reproduction.md': reproduction_page(paths)}
    made[paths.results / 'README.md'] = runs_page(paths)
    made |= {paths.configs / kind / 'README.md': folder_page(kind, paths) for kind in KINDS}
    stale = [path for path, text in made.items() if not is_current(path, text)]
    for path in stale:
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(made[path])
        say(f'{path} {"is stale: run tools/reproduce.py pages" if check else "written"}')
    if not check:
        draw_figures(paths, say)
    return 1 if check and stale else 0


def draw_figures(paths: Paths, say: Callable[[str], None]) -> None:
    """The learning curves on photographs, of every budget that has some."""
    records = read_records(paths)
    for budget in SIZES:
        if any(tables.ours(records, score, budget) for score in LENGTH.scores):
            file = paths.configs.parent / f'docs/figures/length_{budget}.png'
            figures.draw_length(LENGTH, records, budget, paths, file)
            say(f'{file} written')


def is_current(path: Path, text: str) -> bool:
    """Whether a page is what it would be made."""
    return path.is_file() and path.read_text() == text
