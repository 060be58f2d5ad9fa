"""``python -m bootmae_mm detect ANIMALS --from RUN``: boxes, and masks where they are annotated."""

import json

from ...data.files import some
from ..machine import Machine
from ..pictures import look_at
from ..running import Run
from ..tools import Say
from ..wish import Wish
from ..writing import write_config
from .common import (
    count_line,
    fit_recipe,
    require_toolbox,
    starting_encoder,
    transfer,
)
from .detection_config import Choice, config_text
from .instances import Instances, look_at_instances
from .recipe import DETECTION, LabelledRecipe


def detect(
    animals: str,
    start: str,
    out: str | None = None,
    say: Say = print,
    dry_run: bool = False,
    **options: object,
) -> Run:
    """Train Mask R-CNN, or Faster R-CNN where there are no masks, on a pretrained encoder; called
    again, go on.

    Args:
        animals: A folder with pictures and annotations in COCO's form, see
            :func:`.instances.look_at_instances`.
        start: The run to start from, or one of its checkpoints.
        out: Where the run is written; by default beside ``start``.
        say: Told what is going on, a line at a time.
        dry_run: Write the config and have it checked, no more.
        **options: ``epochs`` or ``hours``; ``scratch`` for random weights, to compare with.

    Raises:
        ValueError: If the pictures or the options do not make a run, or ``out`` holds another.
        RuntimeError: If training fails.
    """
    return transfer('detect', animals, start, out, begin, say, dry_run, options)


def begin(wish: Wish, machine: Machine, say: Say) -> None:
    """Look, choose, measure, write, and say what will happen."""
    require_toolbox('mmdet', 'mmdetection')
    encoder, found = starting_encoder(wish), look_at_instances(wish.data)
    train, val = found.train.count, found.val.count
    say(count_line(train, val, found.held_out, wish.data))
    kind = 'boxes and masks' if found.masks else 'boxes, as not all have a mask'
    say(f'classes    {len(found.names):,}: {some(found.names)}; {kind}')
    found = write_parts(found, wish)
    size = look_at(found.train.folder).median_size

    def make(recipe: LabelledRecipe) -> Choice:
        return Choice(encoder, found, recipe, machine, size)

    fit_recipe(wish, machine, encoder, DETECTION, train, make, config_text, say)


def write_parts(found: Instances, wish: Wish) -> Instances:
    """Where a part is held out, two files of annotations in the folder of the run."""
    if not found.held_out:
        return found
    parts = []
    for name, part in (('train', found.train), ('val', found.val)):
        file = wish.config.with_name(f'{name}.json')
        write_config(file, json.dumps(part.content))
        parts.append(part._replace(file=file))
    return found._replace(train=parts[0], val=parts[1])
