"""``python -m bootmae_mm segment SCENES --from RUN``: a label for every pixel."""

from ...data.files import some
from ..fitting import fitted
from ..machine import Machine
from ..pictures import look_at
from ..running import Run
from ..shapes import arch_of
from ..tools import Say
from ..wish import Wish
from ..writing import write_config
from .common import HOURS_ON_CPU, require_toolbox, starting_encoder, told, transfer
from .label_folders import look_at_labels
from .recipe import SEGMENTATION, labelled_recipe
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
    _, arch = arch_of(encoder.backbone['arch'])
    train, val = scenes.counts
    held_out = ', a fifth held out' if scenes.lists else ''
    say(f'pictures   {train:,} to train on, {val:,} to validate on{held_out}: {scenes.root}')
    say(
        f'classes    {len(scenes.names):,}: {some(scenes.names)}; '
        + ('0 and 255 are no label' if scenes.zero_is_no_label else '0 is the first, 255 no label')
    )
    size = look_at(scenes.root / scenes.prefixes[0][0]).median_size
    crop = crop_size(encoder.backbone['patch_size'], machine.gpus > 0, min(size))

    def choose(epochs: int | None) -> Choice:
        recipe = labelled_recipe(SEGMENTATION, train, epochs, arch.width)
        return Choice(encoder, scenes, recipe, machine, crop)

    for name, stems in zip(('train', 'val'), scenes.lists or (), strict=False):
        write_config(wish.config.with_name(f'{name}.txt'), '\n'.join(stems) + '\n')
    choice, found = fitted(wish, machine, choose, config_text, HOURS_ON_CPU, say)
    for line in told(choice, found, wish, 'iterations'):
        say(line)
