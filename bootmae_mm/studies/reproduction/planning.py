"""What a run costs, and which runs are possible."""

from ...engine.tables import as_text
from ...preflight.planning.recipe import published_size, recipe_of
from . import logs
from .launching import typed
from .runs import FULL, Paths, Run, load

# Seconds for 256 images on one A100 (Table 5).
A100_SECONDS = {'100': 0.660, '75': 0.588, '50': 0.479, '25': 0.407, 'mae': 0.473}


def a100_hours(run: Run, paths: Paths) -> float | None:
    """Hours of one A100 by the times of Table 5; None for what the paper has no time of."""
    cfg = load(paths.configs, run.config)
    if run.budget != FULL or cfg.model.backbone.get('arch') not in ('base', 'b'):
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


def plan(runs: list[Run], paths: Paths, gpus: int) -> str:
    """A table of the runs, and the command of each."""
    lines, known = [], []
    for run in runs:
        hours = a100_hours(run, paths)
        known += [hours] if hours else []
        cost = f'{hours:.0f}' if hours else '–'
        lines.append((run.name, str(run.seed), logs.state(run, paths), images(run, paths), cost))
    shown = as_text(('run', 'seed', 'state', 'images', 'A100 hours'), lines)
    if all(run.budget != FULL for run in runs):
        return f'{shown}\n\nThe same line with run for plan makes their configs and starts them.'
    commands = '\n'.join(typed(run, paths, gpus) for run in runs)
    return (
        f'{shown}\n\n'
        f'{sum(known):.0f} A100 hours for the {len(known)} of {len(runs)} runs that the paper has '
        f'a time of (Table 5); of another, python tools/plan.py CONFIG --gpus {gpus} measures one '
        'here.\n\n'
        f'{commands}'
    )


def images(run: Run, paths: Paths) -> str:
    """How many images a run sees."""
    if run.budget != FULL:
        return '–'
    cfg = load(paths.configs, run.config)
    recipe = recipe_of(cfg, published_size(cfg))
    if recipe.iterations:
        return f'{recipe.iterations * recipe.total_batch:,}'
    return f'{recipe.images * recipe.epochs:,}'
