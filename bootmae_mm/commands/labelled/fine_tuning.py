"""``python -m bootmae_mm finetune CLASSES --from RUN``: a classifier of one's own classes."""

from ...data.files import some
from ..fitting import fitted
from ..machine import Machine
from ..running import Run
from ..shapes import arch_of
from ..tools import Say
from ..wish import Wish
from ..writing import write_config
from .class_folders import look_at_classes
from .common import HOURS_ON_CPU, starting_encoder, told, transfer
from .fine_tuning_config import Choice, config_text
from .recipe import FINE_TUNING, labelled_recipe


def finetune(
    classes: str,
    start: str,
    out: str | None = None,
    say: Say = print,
    dry_run: bool = False,
    **options: object,
) -> Run:
    """Fine-tune a pretrained encoder to tell the classes of pictures; called again, go on.

    Args:
        classes: A folder with ``train/<class>`` and ``val/<class>``, or ``<class>``, of which a
            fifth is held out.
        start: The run to start from, or one of its checkpoints.
        out: Where the run is written; by default beside ``start``.
        say: Told what is going on, a line at a time.
        dry_run: Write the config and have it checked, no more.
        **options: ``epochs`` or ``hours``; ``scratch`` for random weights, to compare with.

    Raises:
        ValueError: If the pictures or the options do not make a run, or ``out`` holds another.
        RuntimeError: If training fails.
    """
    return transfer('finetune', classes, start, out, begin, say, dry_run, options)


def begin(wish: Wish, machine: Machine, say: Say) -> None:
    """Look, choose, measure, write, and say what will happen."""
    encoder, classes = starting_encoder(wish), look_at_classes(wish.data)
    _, arch = arch_of(encoder.backbone['arch'])
    train, val = classes.counts
    held_out = ', a fifth held out' if classes.lists else ''
    say(f'pictures   {train:,} to train on, {val:,} to validate on{held_out}: {classes.root}')
    say(f'classes    {len(classes.names):,}: {some(classes.names)}')

    def choose(epochs: int | None) -> Choice:
        recipe = labelled_recipe(FINE_TUNING, train, epochs, arch.width)
        return Choice(encoder, classes, recipe, machine)

    for name, lines in zip(('train', 'val'), classes.lists or (), strict=False):
        write_config(wish.config.with_name(f'{name}.txt'), '\n'.join(lines) + '\n')
    choice, found = fitted(wish, machine, choose, config_text, HOURS_ON_CPU, say)
    for line in told(choice, found, wish):
        say(line)
