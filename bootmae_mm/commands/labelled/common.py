"""What the commands that start from a pretrained encoder have in common."""

from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from ..encoders import Encoder, find_encoder
from ..fitting import Fit
from ..running import Begin, Run, run
from ..shapes import arch_of
from ..tools import Say
from ..wish import Wish
from ..writing import call
from .recipe import LabelledRecipe

SMALL = 'mini'  # the encoder of the study on photographs, whose small heads it gets
HOURS_ON_CPU = 0.5


class Choice(Protocol):
    """What a command chose: from which encoder, by which recipe."""

    encoder: Encoder
    recipe: LabelledRecipe


def transfer(
    name: str,
    data: str,
    start: str,
    out: str | None,
    begin: Begin,
    say: Say,
    dry_run: bool,
    options: dict[str, object],
) -> Run:
    """Run a command that starts from a run; its own folder is by default beside that one."""
    path = Path(start)
    given = {option: value for option, value in options.items() if value not in (None, False)}
    ending = f'{name}_scratch' if 'scratch' in given else name
    out = out or f'{path.parent if path.suffix else path}_{ending}'
    return run(Wish(name, str(data), str(out), {'from': start, **given}), begin, say, dry_run)


def starting_encoder(wish: Wish) -> Encoder:
    """What ``--from`` names, or its form alone.

    Raises:
        ValueError: As :func:`.encoders.find_encoder`.
    """
    encoder = find_encoder(wish.options['from'])
    return encoder._replace(scratch=bool(wish.options.get('scratch')))


def require_toolbox(name: str, package: str) -> None:
    """Raise ``ValueError`` if a toolbox, or mmcv's operators that it needs, are not installed."""
    missing = [
        what
        for module, what in ((name, package), ('mmcv._ext', "mmcv's operators"))
        if find_spec(module) is None
    ]
    if missing:
        raise ValueError(
            f'Expected {package} and mmcv with its operators, found no {" and no ".join(missing)}; '
            'install them: make setup.'
        )


def told(choice: Choice, found: Fit, wish: Wish, unit: str = 'steps') -> list[str]:
    """What will happen, in some eight lines."""
    recipe, (name, _) = choice.recipe, arch_of(choice.encoder.backbone['arch'])
    seen = recipe.epochs * recipe.pictures
    return [
        f'model      ViT {name} '
        + ('from scratch' if choice.encoder.scratch else f'from {choice.encoder.checkpoint}'),
        f'length     {recipe.epochs:,} epochs of {recipe.pictures:,} pictures: '
        f'{recipe.steps:,} {unit} of {recipe.total_batch:,}, rate {recipe.rate:g}',
        *found.told(seen, found.batch(recipe.total_batch)),
        f'config     {wish.config}: every number, and why; change what you like',
        f'afterwards python -m bootmae_mm test {wish.config} CHECKPOINT --show-dir PICTURES',
    ]


def encoder_lines(encoder: Encoder, *more: str) -> str:
    """The encoder's settings and its weights, as lines within ``backbone=dict(…)``."""
    arch = encoder.backbone['arch']
    shown = call(dict(_delete_=True, **arch)) if isinstance(arch, dict) else repr(arch)
    lines = [
        f'arch={shown},',
        f'img_size={encoder.backbone["img_size"]},',
        f'patch_size={encoder.backbone["patch_size"]},',
        *more,
        'init_cfg=None,  # from scratch, to compare with'
        if encoder.scratch
        else f"init_cfg=dict(type='PretrainedEncoder', checkpoint={str(encoder.checkpoint)!r}),",
    ]
    return '\n'.join(f'        {line}' for line in lines)
