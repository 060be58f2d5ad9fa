"""Whether the checkpoints that a run starts from fit its model."""

from collections.abc import Iterator

from mmengine.registry import MODELS

from ...checkpoint import read_state_dict
from ...encoder.loading import load_encoder
from ..data.files import Finding
from .case import Case


def check_weights(case: Case) -> Iterator[Finding]:
    """The share of tensors that ``init_cfg`` and ``load_from`` would load.

    Raises:
        ValueError: If a file is missing, damaged, or of another model.
    """
    backbone = case.cfg.model.get('backbone') or {}
    init_cfg = backbone.get('init_cfg')
    start = init_cfg.get('checkpoint') if isinstance(init_cfg, dict) else None
    whole = case.cfg.get('load_from')
    if not start and not whole:
        yield Finding('ok', 'None to load: training starts from random weights.')
    if start:
        yield from check_encoder(case, start)
    if whole:
        yield from check_whole(case, whole)


def check_encoder(case: Case, path: str) -> Iterator[Finding]:
    """Load the encoder of a checkpoint, as ``init_cfg`` would."""
    state = read_state_dict(path)
    cfg = dict(case.cfg.model.backbone, init_cfg=None)
    with case.scope():
        encoder = MODELS.build(cfg)
    if not hasattr(encoder, 'patch_resolution'):
        yield Finding('note', f'{path} is not looked at: the backbone is no vision transformer.')
        return
    yield Finding('ok', f'{path}: {load_encoder(encoder, state)}.')


def check_whole(case: Case, path: str) -> Iterator[Finding]:
    """Names and sizes of a checkpoint against those of the model."""
    state = read_state_dict(path)
    if case.model is None:
        yield Finding('note', 'load_from is not compared, as the model cannot be built.')
        return
    own = case.model.state_dict()
    fitting = [n for n, value in own.items() if n in state and state[n].shape == value.shape]
    sentence = f'load_from={path!r} has {len(fitting)}/{len(own)} tensors of the model'
    if len(fitting) == len(own):
        yield Finding('ok', f'{sentence}.')
    else:
        absent = next(name for name in own if name not in fitting)
        yield Finding(
            'warning' if fitting else 'error',
            f'Expected a checkpoint of this model, found that {sentence} (none for {absent}), and '
            'mmengine leaves the others as they are; choose another, or load an encoder alone with '
            'model.backbone.init_cfg.',
        )
