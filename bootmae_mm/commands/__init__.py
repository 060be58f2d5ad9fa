"""A folder in, a trained model out: each command looks at the data and the machine, writes a config
that says why, has it checked, and trains with the ordinary tools.

    from bootmae_mm.commands import pretrain, finetune, segment, detect
"""

from importlib import import_module

FUNCTIONS = dict(
    pretrain='pretraining', finetune='fine_tuning', segment='segmentation', detect='detection'
)


def __getattr__(name: str):
    """One of the functions; late, as they load what takes seconds."""
    if name not in FUNCTIONS:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'.{FUNCTIONS[name]}', __name__), name)
