"""The pages made from the tables, the records and the configs: docs/reproduction.md and the READMEs
of the config folders. They are checked for staleness by the tests."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

from . import tables
from .cells import Table
from .launching import typed, with_origins
from .paper import TABLES
from .records import read_records
from .runs import KINDS, REDUCED, Home, is_pretraining

INTRODUCTION = """# The paper's tables, and ours

Made by `python tools/reproduce.py pages`; do not edit. A number of ours comes from the log of a
run, by way of its record below `results/`; none is typed in.

- **reproduced**: the config was run as it is.
- **reduced budget**: the same row at the size of a demo (drawn pictures of 32 pixels, an encoder of
  4 blocks, 4 epochs for the paper's 300; the rules are at the top of
  [`reduced.py`](../bootmae_mm/studies/reproduction/reduced.py)). Such numbers compare with each
  other only, so two columns give every row's difference to one row of the table, the paper's and
  ours; below a table stands which.
- **not run**, and **quoted**: a number that the paper itself takes from elsewhere.

± is the standard deviation over as many seeds as stand behind it in brackets; each pretrains anew.
To run a table:
`python tools/reproduce.py plan 2`, then `run 2`; see `python tools/reproduce.py --help`. Rows that
differ in their pretraining alone share a config: each command below names the checkpoint to start
from. Weights in `checkpoints/` are those of other projects, to be put there first.
"""
TITLES = dict(
    pretrain='Pretraining', finetune='Fine-tuning on ImageNet-1K',
    linear='Linear probes on ImageNet-1K',
    seg='Segmentation, UperNet on ADE20K', det='Detection, Mask R-CNN on COCO',
)  # fmt: skip
ABSTRACT = """> [Bootstrapped Masked Autoencoders for Vision BERT Pretraining](https://arxiv.org/abs/2207.07116),
> ECCV 2022. A masked autoencoder that predicts pixels and, beside them, the features of its own
> momentum encoder; both decoders are handed what the encoder should not have to memorise.
"""


def markdown(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table; a number and its spread stay on one line."""
    whole = [
        [cell.replace(' ', '\N{NO-BREAK SPACE}') if '±' in cell else cell for cell in row]
        for row in rows
    ]
    lines = [header, ['---'] * len(header), *whole]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def remarks(table: Table, records: tables.Records) -> list[str]:
    """What has to be said of a table, and how far small runs order its rows as the paper does."""
    said = [table.note] if table.note else []
    references = ' or '.join(', '.join(table.rows[index].cells) for index in table.references)
    said.append(f'"To reference" is the difference to the row {references}.')
    for name, pairs in tables.agreement(table, records, REDUCED).items():
        said.append(
            f'Order of the rows by {name}, reduced budget: of the pairs that the paper ranks, '
            f'as there {pairs.alike}, the other way round {pairs.reversed}, undecided '
            f'{pairs.undecided} (closer than twice the standard error of their difference).'
        )
    return said


def reproduction_page(home: Home) -> str:
    """docs/reproduction.md."""
    records = read_records(home)
    parts = [INTRODUCTION, spent(records, home)]
    for table in TABLES.values():
        parts.append(f'\n## {table.heading}\n\n{markdown(*tables.rows_of(table, records))}\n')
        parts += [f'\n{line}\n' for line in remarks(table, records)]
        parts.append(f'\nConfigs: {links(table, home)}\n')
        parts.append(folded('Commands', f'```bash\n{commands(table, home)}\n```'))
        if lines := tables.provenance(table, records):
            parts.append(folded('Runs', markdown(tables.PROVENANCE, lines)))
    return ''.join(parts)


def spent(records: tables.Records, home: Home) -> str:
    """What the reduced runs cost: those of the paper's tables, and the others."""
    reduced = {run: record for run, record in records.items() if run.budget == REDUCED}
    if not reduced:
        return ''
    rows = {run.name for table in TABLES.values() if not table.beyond for run in table.runs}
    asked = [run for run in reduced if run.name in rows]
    needed = set(with_origins(asked, home, is_done=lambda run: False))
    hours, more = (
        [record['cpu_hours'] or 0 for run, record in reduced.items() if (run in needed) is wanted]
        for wanted in (True, False)
    )
    beyond = f", and {len(more)} more, beyond the paper's tables, {sum(more):.2f}" if more else ''
    return (
        f'\nAt the reduced budget, {len(hours)} runs took {sum(hours):.2f} hours of processor '
        f'time{beyond}; [how they are read](reduced_study.md).\n'
    )


def folded(title: str, text: str) -> str:
    """Text that is shown when its title is clicked."""
    return f'\n<details><summary>{title}</summary>\n\n{text}\n\n</details>\n'


def links(table: Table, home: Home) -> str:
    """The configs of a table's runs and of the pretrainings that they start from, each once."""
    configs = dict.fromkeys(
        config
        for run in table.runs
        for config in (*filter(is_pretraining, run.starts(home)), run.config)
    )
    return ', '.join(f'[{Path(config).name}](../configs/{config}.py)' for config in configs)


def commands(table: Table, home: Home) -> str:
    """The command of every run of a table, on 8 GPUs."""
    return '\n'.join(typed(run, home, gpus=8) for run in table.runs)


def folder_page(kind: str, home: Home) -> str:
    """The README of a config folder: every config with its title, what to expect and its cost."""
    rows = []
    for path in sorted((home.configs / kind).rglob('*.py'), key=lambda p: (len(p.parts), p)):
        title, facts = describe(path)
        link = f'[{path.stem}]({path.relative_to(home.configs / kind)})'
        rows.append((link, title, facts.get('Expect', '–')))
    return (
        f'# {TITLES[kind]}\n\n{ABSTRACT}\n'
        'Made by `python tools/reproduce.py pages`; do not edit. The numbers to expect are the '
        "paper's; what was reproduced here is in "
        '[the tables](../../docs/reproduction.md).\n\n'
        f'{call(kind)}\n'
        f'{markdown(("config", "what", "expect"), rows)}\n'
    )


def call(kind: str) -> str:
    """How the configs of a folder are run."""
    line = f'tools/dist_train.sh configs/{kind}/CONFIG.py 8'
    if kind == 'pretrain':
        return f'```bash\n{line}\n```\n'
    option = '--cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT'
    return (
        f'```bash\n{line} \\\n    {option}\n```\n\n'
        "Rows of the paper's tables that differ in their pretraining alone share a config; [the "
        'tables](../../docs/reproduction.md) have the command of each.\n'
    )


def describe(path: Path) -> tuple[str, dict[str, str]]:
    """The first sentence of a config's docstring, and its facts ('Expect', 'Cost', ...)."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ''
    title = ' '.join(text.split('\n\n')[0].split())
    facts = {}
    for found in re.finditer(r'^([A-Z]\w+)  +(.+(?:\n {5,}\S.*)*)', text, re.MULTILINE):
        facts[found[1]] = ' '.join(found[2].split())
    return title, facts


def write_pages(home: Home, check: bool, say: Callable[[str], None]) -> int:
    """Write the pages, or say which are stale; returns the exit status."""
    made = {home.configs.parent / 'docs/reproduction.md': reproduction_page(home)}
    made |= {home.configs / kind / 'README.md': folder_page(kind, home) for kind in KINDS}
    stale = [path for path, text in made.items() if not is_current(path, text)]
    for path in stale:
        if not check:
            path.write_text(made[path])
        say(f'{path} {"is stale: run tools/reproduce.py pages" if check else "written"}')
    return 1 if check and stale else 0


def is_current(path: Path, text: str) -> bool:
    """Whether a page is what it would be made."""
    return path.is_file() and path.read_text() == text
