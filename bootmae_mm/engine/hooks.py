"""The hooks of a config, and what their classes say about a run.

A hook's class has two attributes where it leaves a run alone. A class without them, as those of
other packages, may do anything:

``changes_training = False``
    Training computes the same without it: a run that goes on may gain, lose or change it.
``acts_in_steps = False``
    A step takes as long without it: it acts before the run or at the ends of epochs.
"""

from collections.abc import Mapping, Sequence

from mmengine.config import ConfigDict
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

# Names of mmengine's own default hooks.
DEFAULT_HOOKS = (
    *('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint'),
)


def hook_list(hooks: Mapping | Sequence | None) -> list[Mapping | Hook]:
    """The hooks of ``custom_hooks`` in their order.

    Args:
        hooks: Hooks by name, see :func:`named_hooks`; or a list, as mmengine has it.

    Raises:
        ValueError: If one has no type, as where settings are for a name that is not there.
    """
    named = named_hooks(hooks) if isinstance(hooks, Mapping) else dict(enumerate(hooks or ()))
    named = {name: hook for name, hook in named.items() if hook is not None}
    unknown = [n for n, hook in named.items() if not isinstance(hook, Hook) and 'type' not in hook]
    if unknown:
        others = ', '.join(str(name) for name in named if name not in unknown) or 'none'
        raise ValueError(
            f'Expected hooks with a type in custom_hooks, found {unknown[0]!r} without one; the '
            f'names of the others are {others}: choose one of them or add a type.'
        )
    return list(named.values())


def named_hooks(hooks: Mapping) -> dict:
    """Hooks by name, None for what is left out, changed by what is set under a number.

    Configs that were written before hooks had names count them: ``custom_hooks[0].update(…)``, for
    which our base configs have a place under each number, or ``custom_hooks.0.…`` on the command
    line.
    """
    named = {name: hook for name, hook in hooks.items() if not str(name).isdigit()}
    names = [name for name, hook in named.items() if hook is not None]
    for number, settings in hooks.items():
        if str(number).isdigit() and settings:
            name = names[int(number)] if int(number) < len(names) else number
            named[name] = ConfigDict(named.get(name, {}), **settings)
    return named


def changes_training(kind: str) -> bool:
    """Whether a hook of that type may change what training computes."""
    return getattr(HOOKS.module_dict.get(kind), 'changes_training', True)


def acts_in_steps(kind: str) -> bool:
    """Whether a hook of that type may change how long a step takes."""
    return getattr(HOOKS.module_dict.get(kind), 'acts_in_steps', True)
