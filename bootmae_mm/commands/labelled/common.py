"""What the commands that start from a pretrained encoder have in common."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from ..encoders import Encoder, find_encoder
from ..fitting import Fit, fitted
from ..machine import Machine
from ..running import Begin, Run, run
from ..shapes import arch_of
from ..tools import Say
from ..wish import Wish
from ..writing import call, write_config
from .recipe import LabelledRecipe, Task, labelled_recipe

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
    unsaid = (None, False)  # by identity, as 0 equals False
    given = {k: v for k, v in options.items() if not any(v is one for one in unsaid)}
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


def count_line(train: int, val: int, held_out: bool, place: object) -> str:
    """How many pictures there are."""
    of_one = ', a fifth held out' if held_out else ''
    return f'pictures   {train:,} to train on, {val:,} to validate on{of_one}: {place}'


def write_lists(wish: Wish, lists: tuple[list[str], list[str]] | None) -> None:
    """Which pictures are of training and of validation, where folders do not tell."""
    for name, lines in zip(('train', 'val'), lists or (), strict=False):
        write_config(wish.config.with_name(f'{name}.txt'), '\n'.join(lines) + '\n')


def fit_recipe(
    wish: Wish,
    machine: Machine,
    encoder: Encoder,
    task: Task,
    pictures: int,
    make: Callable[[LabelledRecipe], Choice],
    text: Callable[[Wish, Choice, Fit | None], str],
    say: Say,
) -> None:
    """Write the config with the task's recipe for the pictures and the time, and say what will
    happen.

    Args:
        wish: What is asked for.
        machine: To train on.
        encoder: To start from.
        task: What is learned.
        pictures: Number of pictures to train on.
        make: The choice with a recipe.
        text: The config of a choice.
        say: Told a line.
    """
    _, arch = arch_of(encoder.backbone['arch'])

    def choose(epochs: int | None) -> Choice:
        return make(labelled_recipe(task, pictures, epochs, arch.width))

    choice, found = fitted(wish, machine, choose, text, HOURS_ON_CPU, say)
    for line in told(choice, found, wish):
        say(line)


def told(choice: Choice, found: Fit, wish: Wish) -> list[str]:
    """What will happen, in some eight lines."""
    recipe, (name, _) = choice.recipe, arch_of(choice.encoder.backbone['arch'])
    seen = recipe.epochs * recipe.pictures
    return [
        f'model      ViT {name} '
        + ('from scratch' if choice.encoder.scratch else f'from {choice.encoder.checkpoint}'),
        f'length     {recipe.epochs:,} epochs of {recipe.pictures:,} pictures: '
        f'{recipe.steps:,} steps of {recipe.total_batch:,}, rate {recipe.rate:g}',
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
