"""``python -m bootmae_mm pretrain PICTURES``: from a folder of pictures to a pretrained encoder."""

from pathlib import Path

from mmengine.config import Config

from ..preflight.planning.arithmetic import Measurement
from . import tools
from .encoders import Encoder, find_encoder
from .machine import Machine, this_machine
from .pictures import look_at
from .pretraining_config import Choice, Wish, config_text
from .recipe import ENOUGH_STEPS, TEACHER_MEMORY, Recipe, power_of_two, recipe
from .shapes import ARCHS, Arch, Shape, choose_shape
from .tools import Say
from .writing import write_config

MANY = 100_000  # pictures from which on 300 epochs are enough, as in the paper's ablations
HOURS_ON_CPU = 1.0
FIRST_BATCH = 16  # to measure a GPU's memory with
SHARE = 0.85  # of the memory that a batch may take


def prepare(wish: Wish, say: Say) -> tuple[Path, int]:
    """Write the config of a run, unless it is there; have it checked; and say what it will do.

    Returns:
        The config, and in how many processes to train.

    Raises:
        ValueError: If the pictures or the wishes do not make a run, or the folder of the run holds
            another one.
    """
    config = Path(wish.out).expanduser().absolute() / 'config.py'
    machine = this_machine()
    if config.is_file():
        require_same(config, wish)
        say(f'config     {config} is there and taken as it stands')
    else:
        begin(wish, machine, config, say)
    processes = machine.processes(Config.fromfile(config).total_batch_size)
    tools.diagnose(config, processes, say)
    return config, processes


def require_same(config: Path, wish: Wish) -> None:
    """Raise ``ValueError`` if another command wrote a config."""
    if f'    {wish.command()}\n' not in config.read_text(encoding='utf-8'):
        raise ValueError(
            f'Expected a new folder or the command that began the run, found {str(config)!r} of '
            f'another command; to go on with it: python -m bootmae_mm train {config}; or choose '
            'another --out.'
        )


def begin(wish: Wish, machine: Machine, config: Path, say: Say) -> None:
    """Look, choose, measure and write."""
    pictures = look_at(wish.pictures)
    start = None if wish.start is None else find_encoder(wish.start)
    name, arch = choose_arch(wish.arch, machine, start)
    shape = start_shape(start, wish) or choose_shape(
        pictures.short_side, machine.gpus > 0, wish.size, wish.patch
    )
    epochs = wish.epochs or (300 if pictures.count >= MANY else 800)
    plan = recipe(pictures.count, epochs, arch.width)
    choice = Choice(
        pictures, machine, name, arch, shape, plan, machine.processes(plan.total_batch),
        batch=1, workers=0, start=start,
    )  # fmt: skip
    size = shown(pictures.median_size)
    say(f'pictures   {pictures.count:,} of about {size} in {pictures.folder}')
    for sentence in pictures.others:
        say(f'           {sentence}')
    write_config(config, config_text(wish, choice))
    say(f'measuring  some steps of {name} on one {machine.device}')
    choice, measured = measured_choice(wish, choice, config)
    write_config(config, config_text(wish, choice))
    for line in told(choice, measured, config):
        say(line)


def choose_arch(name: str | None, machine: Machine, start: Encoder | None) -> tuple[str, Arch]:
    """The encoder asked for, started from, or fit for the machine.

    Raises:
        ValueError: If it is not the one to start from, or that is of a size of its own.
    """
    if start is None:
        name = name or ('base' if machine.gpus else 'mini')
        return name, ARCHS[name]
    alike = [n for n, arch in ARCHS.items() if arch.backbone == start.backbone['arch']]
    if not alike or name not in (None, *alike):
        raise ValueError(
            f'Expected an encoder to start from that is {name or ", ".join(ARCHS)}, found '
            f'{alike[0] if alike else start.backbone["arch"]} in {str(start.checkpoint)!r}; leave '
            'out --arch or name another run.'
        )
    return alike[0], ARCHS[alike[0]]


def start_shape(start: Encoder | None, wish: Wish) -> Shape | None:
    """That of the encoder to start from, unless another size is asked for.

    Raises:
        ValueError: If another patch is asked for.
    """
    if start is None:
        return None
    patch, size = start.backbone['patch_size'], start.backbone['img_size']
    if wish.patch not in (None, patch):
        raise ValueError(
            f'Expected patches of {patch} pixels, as those of the encoder in '
            f'{str(start.checkpoint)!r}, found --patch {wish.patch}; leave it out.'
        )
    return choose_shape(0, True, wish.size or pair(size), patch)


def pair(size: int | tuple[int, int]) -> tuple[int, int]:
    """``(height, width)`` of a config's size."""
    return (size, size) if isinstance(size, int) else tuple(size)


def measured_choice(wish: Wish, choice: Choice, config: Path) -> tuple[Choice, Measurement]:
    """The choice with epochs for ``hours``, and a batch and workers for the machine.

    Raises:
        ValueError: If the hours are not enough for an epoch.
    """
    measured = measure(choice, config)
    hours = wish.hours or (None if wish.epochs or choice.machine.gpus else HOURS_ON_CPU)
    if hours:
        choice = choice._replace(recipe=recipe_of_hours(choice, hours, measured))
    share = choice.recipe.total_batch // choice.processes
    batch = power_of_two(min(share, room(measured, choice.memory)))
    workers = choice.machine.workers(-int(-measured.rate // measured.data_rate))
    return choice._replace(batch=batch, workers=workers), measured


def measure(choice: Choice, config: Path) -> Measurement:
    """Some steps: of a few pictures, which says how many fit; then, on a GPU, of those."""
    share = choice.recipe.total_batch // choice.processes
    measured = tools.measure(config, min(FIRST_BATCH, share))
    batch = power_of_two(min(share, room(measured, choice.memory)))
    if choice.machine.gpus and batch > FIRST_BATCH:
        measured = tools.measure(config, batch)
    return measured


def room(measured: Measurement, memory: int) -> int:
    """Pictures that fit into the memory, by what some of them took."""
    growing = (measured.peak_bytes - measured.fixed_bytes) / measured.batch
    return max(1, int((SHARE * memory - measured.fixed_bytes) / growing))


def recipe_of_hours(choice: Choice, hours: float, measured: Measurement) -> Recipe:
    """The recipe of as many epochs as there is time for.

    Raises:
        ValueError: If there is none for one.
    """
    pictures, rate = choice.recipe.pictures, images_per_second(choice, measured)
    epochs = int(hours * 3600 * rate / pictures)
    if not epochs:
        raise ValueError(
            f'Expected hours for one epoch at least, found {hours:g}, where one takes '
            f'{pictures / rate / 3600:.2g} ({rate:.0f} pictures a second); give more --hours or '
            'fewer pictures.'
        )
    return recipe(pictures, epochs, choice.arch.width)


def images_per_second(choice: Choice, measured: Measurement) -> float:
    """Of all processes. Where they have no cores to spare, they load their pictures themselves."""
    if choice.machine.gpus:
        return measured.rate * choice.processes
    return choice.processes / (1 / measured.rate + 1 / measured.data_rate)


def told(choice: Choice, measured: Measurement, config: Path) -> list[str]:
    """What will happen, in some ten lines."""
    plan, shape = choice.recipe, choice.shape
    hours = plan.steps * plan.total_batch / images_per_second(choice, measured) / 3600
    form = 'block-wise masks, pixels by channel (as in the paper)'
    if not plan.as_in_paper:
        form = f'random masks, pixels by patch (fewer than {ENOUGH_STEPS:,} steps)'
    memory = [round(kept * plan.steps) for _, kept in TEACHER_MEMORY]
    taken = measured.fixed_bytes + (measured.peak_bytes - measured.fixed_bytes) * (
        choice.batch / measured.batch
    )
    return [
        f'model      ViT {choice.name}, {choice.arch.width} wide; {shown(shape.size)} pixels in '
        f'{shape.patches} patches of {shape.patch} × {shape.patch}, 75 % hidden',
        f'length     {plan.epochs:,} epochs × {plan.epoch_steps:,} = {plan.steps:,} steps of '
        f'{plan.total_batch:,} pictures',
        f'recipe     rate {plan.rate:g}, warm-up {plan.warm_up:.3g} epochs, teacher remembers '
        f'{memory[0]:,}, then {memory[1]:,}, then {memory[2]:,} steps',
        f'target     {form}',
        f'time       about {hours:.2g} hours: {measured.rate:.0f} pictures a second on each of '
        f'{choice.processes} × {choice.machine.device}',
        f'memory     about {taken / 2**30:.2g} of {choice.memory / 2**30:.0f} GiB each, '
        f'{choice.batch} pictures at a time',
        f'config     {config}: every number, and why; change what you like',
        f'afterwards python -m bootmae_mm finetune CLASSES --from {config.parent}',
    ]


def shown(size: tuple[int, int]) -> str:
    """A size as width × height."""
    return f'{size[1]} × {size[0]}'
