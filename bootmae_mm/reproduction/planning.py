"""What a run costs, and which runs are possible."""

import itertools
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path

from ..demo.summary import as_text
from ..planning.recipe import published_size, recipe_of
from . import logs
from .launching import command
from .paper import TABLES
from .reduced import reduced_config
from .runs import FULL, REDUCED, Home, Run, load, pretrainings

# Seconds for 256 images on one A100 (Table 5).
A100_SECONDS = {'100': 0.660, '75': 0.588, '50': 0.479, '25': 0.407, 'mae': 0.473}


def all_runs(home: Home, seeds: Iterable[int] = range(10)) -> list[Run]:
    """Every run that a table or another run could ask for."""
    configs = dict.fromkeys(config for table in TABLES.values() for config in table.configs)
    configs.update(dict.fromkeys(pretrainings(home.configs).values()))
    return [Run(*run) for run in itertools.product(configs, (FULL, REDUCED), seeds)]


def possible(runs: Iterable[Run], home: Home, say: Callable[[str], None]) -> list[Run]:
    """The runs that there is a form of at this budget; the others are said."""
    kept = []
    for run in runs:
        try:
            if run.budget == REDUCED:
                reduced_config(run, home)
        except ValueError as error:
            say(f'left out: {error}')
            continue
        kept.append(run)
    return kept


def a100_hours(run: Run, home: Home) -> float | None:
    """Hours of one A100 by the times of Table 5; None for what the paper has no time of."""
    cfg = load(home.configs, run.config)
    if run.budget == REDUCED or cfg.model.backbone.get('arch') not in ('base', 'b'):
        return None
    if cfg.model.type == 'MAE':
        key = 'mae'
    elif cfg.model.type == 'BootMAE' and standard_form(cfg.model):
        key = f'{100 * cfg.model.teacher.fraction:.0f}'
    else:
        return None
    images = published_size(cfg) * cfg.train_cfg.max_epochs
    return images / 256 * A100_SECONDS[key] / 3600


def standard_form(model: dict) -> bool:
    """Whether a model takes the time of the default one: its decoders and a momentum teacher."""
    decoders = [model.get('regressor'), model.get('predictor')]
    if not all(decoders) or model['teacher']['type'] != 'MomentumTeacher':
        return False
    injected = all(decoder['context_layer'] is not None for decoder in decoders)
    return (
        injected and [d['depth'] for d in decoders] == [2, 2] and decoders[0]['embed_dims'] == 512
    )


def plan(runs: list[Run], home: Home, gpus: int) -> str:
    """A table of the runs, and the command of each."""
    lines, known = [], []
    for run in runs:
        hours = a100_hours(run, home)
        known += [hours] if hours else []
        cost = f'{hours:.0f}' if hours else '–'
        lines.append((run.config, str(run.seed), logs.state(run, home), images(run, home), cost))
    shown = as_text(('run', 'seed', 'state', 'images', 'A100 hours'), lines)
    if all(run.budget == REDUCED for run in runs):
        return f'{shown}\n\nThe same line with run for plan makes their configs and starts them.'
    commands = '\n'.join(typed(command(run, home, gpus)) for run in runs)
    return (
        f'{shown}\n\n'
        f'{sum(known):.0f} A100 hours for the {len(known)} of {len(runs)} runs that the paper has '
        f'a time of (Table 5); of another, python tools/plan.py CONFIG --gpus {gpus} measures one '
        'here.\n\n'
        f'{commands}'
    )


def typed(words: list[str]) -> str:
    """A command as one would type it here: with relative paths."""
    here = f'{Path.cwd()}/'
    return shlex.join(word.removeprefix(here) for word in words)


def images(run: Run, home: Home) -> str:
    """How many images a run sees."""
    if run.budget == REDUCED:
        return '–'
    cfg = load(home.configs, run.config)
    recipe = recipe_of(cfg, published_size(cfg))
    if recipe.iterations:
        return f'{recipe.iterations * recipe.total_batch:,}'
    return f'{recipe.images * recipe.epochs:,}'
