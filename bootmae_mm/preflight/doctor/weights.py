"""Whether the checkpoints that a run starts from fit its model."""

from collections.abc import Iterator

from mmengine.registry import MODELS

from ...checkpoint import read_state_dict
from ...checkpoint.complete import check_complete
from ...checkpoint.sources import announced_bytes, cached_path, is_address, megabytes
from ...encoder.loading import load_encoder_file
from ..data.files import Finding
from .case import Case


def check_weights(case: Case) -> Iterator[Finding]:
    """The share of tensors that ``init_cfg`` and ``load_from`` would load.

    Raises:
        ValueError: If a file is missing, damaged, or of another model.
    """
    backbone = case.cfg.model.get('backbone') or {}
    init_cfg = backbone.get('init_cfg')
    init_cfg = init_cfg if isinstance(init_cfg, dict) else {}
    start = init_cfg.get('checkpoint')
    whole = case.cfg.get('load_from')
    if not start and not whole:
        yield Finding('ok', 'None to load: training starts from random weights.')
    if start:
        yield _unfetched(start) or check_encoder(case, start, init_cfg.get('prefix'))
    if whole:
        yield _unfetched(whole) or check_whole(case, whole)


def _unfetched(source: str) -> Finding | None:
    """A checkpoint on the web that training would fetch, which is left to it."""
    if not is_address(source) or cached_path(source).is_file():
        return None
    return Finding(
        'warning',
        f'{source} is there ({megabytes(announced_bytes(source))}) but not fetched, so whether it '
        f'fits is not known; training fetches it to {str(cached_path(source))!r}.',
    )


def check_encoder(case: Case, path: str, prefix: str | None) -> Finding:
    """Load the encoder of a checkpoint, as ``init_cfg`` would."""
    cfg = dict(case.cfg.model.backbone, init_cfg=None)
    with case.scope():
        encoder = MODELS.build(cfg)
    if not hasattr(encoder, 'patch_resolution'):
        return Finding('note', f'{path} is not looked at: the backbone is no vision transformer.')
    return Finding('ok', f'{path}: {load_encoder_file(encoder, path, prefix)}.')


def check_whole(case: Case, path: str) -> Finding:
    """Names and sizes of a checkpoint against those of the model."""
    state = read_state_dict(path)
    if case.model is None:
        return Finding('note', 'load_from is not compared, as the model cannot be built.')
    if case.cfg.get('runner_type') == 'ResumableRunner':
        check_complete(case.model, state, path)
    own = case.model.state_dict()
    fitting = [n for n, value in own.items() if n in state and state[n].shape == value.shape]
    sentence = f'load_from={path!r} has {len(fitting)}/{len(own)} tensors of the model'
    if len(fitting) == len(own):
        return Finding('ok', f'{sentence}.')
    absent = next(name for name in own if name not in fitting)
    return Finding(
        'warning' if fitting else 'error',
        f'Expected a checkpoint of this model, found that {sentence} (none for {absent}), and '
        'mmengine leaves the others as they are; choose another, or load an encoder alone with '
        'model.backbone.init_cfg.',
    )
