"""``python -m bootmae_mm pretrain PICTURES``: from a folder of pictures to a pretrained encoder."""

from collections.abc import Mapping

from .encoders import Encoder, find_encoder
from .fitting import Fit, fitted
from .machine import Machine
from .pictures import Pictures, look_at
from .pretraining_config import Choice, config_text
from .recipe import ENOUGH_STEPS, TEACHER_MEMORY, recipe
from .running import Run, run
from .shapes import ARCHS, Arch, Shape, arch_of, choose_shape, pair
from .tools import Say
from .wish import Wish

MANY = 100_000  # pictures from which on 300 epochs are enough, as in the paper's ablations
HOURS_ON_CPU = 1.0


def pretrain(
    pictures: str,
    out: str,
    say: Say = print,
    dry_run: bool = False,
    **options: object,
) -> Run:
    """Pretrain BootMAE on a folder of pictures; called again, go on.

    Args:
        pictures: The folder, with pictures at any depth.
        out: Where the run is written, its config first.
        say: Told what is going on, a line at a time.
        dry_run: Write the config and have it checked, no more.
        **options: Of the command line: ``arch``, ``size`` (height, width), ``patch``, ``epochs``,
            ``hours``, and a run to start from as ``start``.

    Raises:
        ValueError: If the pictures or the options do not make a run, or ``out`` holds another.
        RuntimeError: If training fails.
    """
    given = {'from' if k == 'start' else k: v for k, v in options.items() if v is not None}
    return run(Wish('pretrain', str(pictures), str(out), given), begin, say, dry_run)


def begin(wish: Wish, machine: Machine, say: Say) -> None:
    """Look, choose, measure, write, and say what will happen."""
    pictures, options = look_at(wish.data), wish.options
    say(f'pictures   {pictures.count:,} of about {shown(pictures.median_size)}: {pictures.folder}')
    for sentence in pictures.others:
        say(f'           {sentence}')
    start = find_encoder(options['from']) if 'from' in options else None
    name, arch = choose_arch(options.get('arch'), machine, start)
    shape = choose_size(options, pictures, machine, start)

    def choose(epochs: int | None) -> Choice:
        epochs = epochs or (300 if pictures.count >= MANY else 800)
        chosen = recipe(pictures.count, epochs, arch.width)
        return Choice(pictures, machine, name, arch, shape, chosen, start)

    choice, found = fitted(wish, machine, choose, config_text, HOURS_ON_CPU, say)
    for line in told(choice, found, wish):
        say(line)


def choose_arch(name: str | None, machine: Machine, start: Encoder | None) -> tuple[str, Arch]:
    """The encoder asked for, started from, or fit for the machine.

    Raises:
        ValueError: If it is not the one to start from, or that has a size of its own.
    """
    if start is None:
        name = name or ('base' if machine.gpus else 'mini')
        return name, ARCHS[name]
    its_name, arch = arch_of(start.backbone['arch'])
    if name not in (None, its_name):
        raise ValueError(
            f'Expected an encoder to start from that is {name}, found {its_name} in '
            f'{str(start.checkpoint)!r}; leave out --arch or name another run.'
        )
    return its_name, arch


def choose_size(
    options: Mapping, pictures: Pictures, machine: Machine, start: Encoder | None
) -> Shape:
    """The input's size and patch: as asked for, as of the encoder to start from, or fit for the
    pictures and the machine.

    Raises:
        ValueError: If another patch is asked for than that encoder has.
    """
    size, patch = options.get('size'), options.get('patch')
    if start is None:
        return choose_shape(pictures.short_side, machine.gpus > 0, size, patch)
    its_patch, its_size = start.backbone['patch_size'], start.backbone['img_size']
    if patch not in (None, its_patch):
        raise ValueError(
            f'Expected patches of {its_patch} pixels, as those of the encoder in '
            f'{str(start.checkpoint)!r}, found --patch {patch}; leave it out.'
        )
    return choose_shape(0, True, size or pair(its_size), its_patch)


def told(choice: Choice, found: Fit, wish: Wish) -> list[str]:
    """What will happen, in some ten lines."""
    plan, shape = choice.recipe, choice.shape
    form = 'block-wise masks, pixels by channel, as in the paper'
    if not plan.as_in_paper:
        form = f'random masks, pixels by patch: fewer than {ENOUGH_STEPS:,} steps'
    memory = [f'{max(1, round(kept * plan.steps)):,}' for _, kept in TEACHER_MEMORY]
    seen = plan.steps * plan.total_batch
    return [
        f'model      ViT {choice.name}, {choice.arch.width} wide; {shown(shape.size)} pixels in '
        f'{shape.patches} patches of {shape.patch} × {shape.patch}, 75 % hidden',
        f'length     {plan.epochs:,} epochs × {plan.epoch_steps:,} = {plan.steps:,} steps of '
        f'{plan.total_batch:,} pictures',
        f'recipe     rate {plan.rate:g}, warm-up {plan.warm_up:.3g} epochs, the teacher remembers '
        f'{", then ".join(memory)} steps',
        f'target     {form}',
        *found.told(seen, found.batch(plan.total_batch)),
        f'config     {wish.config}: every number, and why; change what you like',
        f'afterwards python -m bootmae_mm finetune CLASSES --from {wish.out}',
    ]


def shown(size: tuple[int, int]) -> str:
    """A size as width × height."""
    return f'{size[1]} × {size[0]}'
