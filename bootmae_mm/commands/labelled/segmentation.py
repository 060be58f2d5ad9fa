"""``python -m bootmae_mm segment SCENES --from RUN``: a label for every pixel."""

from ...data.files import some
from ..machine import Machine
from ..pictures import look_at
from ..running import Run
from ..tools import Say
from ..wish import Wish
from .common import (
    count_line,
    fit_recipe,
    require_toolbox,
    starting_encoder,
    transfer,
    write_lists,
)
from .label_folders import look_at_labels
from .recipe import SEGMENTATION, LabelledRecipe
from .segmentation_config import Choice, config_text, crop_size


def segment(
    scenes: str,
    start: str,
    out: str | None = None,
    say: Say = print,
    dry_run: bool = False,
    **options: object,
) -> Run:
    """Train UperNet on a pretrained encoder to label every pixel; called again, go on.

    Args:
        scenes: A folder with pictures and label maps, see :func:`.label_folders.look_at_labels`.
        start: The run to start from, or one of its checkpoints.
        out: Where the run is written; by default beside ``start``.
        say: Told what is going on, a line at a time.
        dry_run: Write the config and have it checked, no more.
        **options: ``epochs`` or ``hours``; ``scratch`` for random weights, to compare with;
            ``no_label``, the value that says that there is no label, 0 or 255, if it cannot be
            found out.

    Raises:
        ValueError: If the pictures or the options do not make a run, or ``out`` holds another.
        RuntimeError: If training fails.
    """
    options = {name.replace('_', '-'): value for name, value in options.items()}
    return transfer('segment', scenes, start, out, begin, say, dry_run, options)


def begin(wish: Wish, machine: Machine, say: Say) -> None:
    """Look, choose, measure, write, and say what will happen."""
    require_toolbox('mmseg', 'mmsegmentation')
    encoder = starting_encoder(wish)
    no_label = wish.options.get('no-label')
    scenes = look_at_labels(wish.data, None if no_label is None else no_label == 0)
    say(count_line(*scenes.counts, scenes.lists is not None, scenes.root))
    say(
        f'classes    {len(scenes.names):,}: {some(scenes.names)}; '
        + ('0 and 255 are no label' if scenes.zero_is_no_label else '0 is the first, 255 no label')
    )
    size = look_at(scenes.root / scenes.prefixes[0][0]).median_size
    crop = crop_size(encoder.backbone['patch_size'], machine.gpus > 0, min(size))

    write_lists(wish, scenes.lists)

    def make(recipe: LabelledRecipe) -> Choice:
        return Choice(encoder, scenes, recipe, machine, crop)

    fit_recipe(wish, machine, encoder, SEGMENTATION, scenes.counts[0], make, config_text, say)
