"""A folder in, a trained model out: each command looks at the data and the machine, writes a config
that says why, has it checked, and trains with the ordinary tools.

    from bootmae_mm.commands import pretrain, finetune, segment, detect, embed

:mod:`.recipe` is the rule for pretraining and :mod:`.pretraining` the command; :mod:`.labelled` has
those that start from an encoder, :mod:`.features` those that look at its features.
"""

from importlib import import_module

FUNCTIONS = dict(
    pretrain='pretraining',
    finetune='labelled.fine_tuning',
    segment='labelled.segmentation',
    detect='labelled.detection',
    embed='features.embedding',
    neighbours='features.neighbour_pages',
    near_duplicates='features.duplicates',
)


def __getattr__(name: str):
    """One of the functions; late, as they load what takes seconds."""
    if name not in FUNCTIONS:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'.{FUNCTIONS[name]}', __name__), name)
