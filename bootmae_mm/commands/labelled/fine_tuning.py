"""``python -m bootmae_mm finetune CLASSES --from RUN``: a classifier of one's own classes."""

from ...data.files import some
from ..machine import Machine
from ..running import Run
from ..tools import Say
from ..wish import Wish
from .class_folders import look_at_classes
from .common import (
    count_line,
    fit_recipe,
    starting_encoder,
    transfer,
    write_lists,
)
from .fine_tuning_config import Choice, config_text
from .recipe import FINE_TUNING, LabelledRecipe


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
    say(count_line(*classes.counts, classes.lists is not None, classes.root))
    say(f'classes    {len(classes.names):,}: {some(classes.names)}')
    write_lists(wish, classes.lists)

    def make(recipe: LabelledRecipe) -> Choice:
        return Choice(encoder, classes, recipe, machine)

    fit_recipe(wish, machine, encoder, FINE_TUNING, classes.counts[0], make, config_text, say)
