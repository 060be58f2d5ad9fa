"""Whether the checkpoints that a run starts from fit its model, and its pictures them."""

import json
from collections.abc import Iterator, Mapping

from mmengine.registry import MODELS

from ...checkpoint import read_state_dict
from ...checkpoint.complete import check_complete
from ...checkpoint.reading import read_meta
from ...checkpoint.sources import announced_bytes, cached_path, is_address, megabytes
from ...encoder.loading import load_encoder_file
from ..data.files import Finding
from .case import Case


def check_weights(case: Case) -> Iterator[Finding]:
    """The share of tensors that ``init_cfg`` and ``load_from`` would load.

    Raises:
        ValueError: If a file is missing, damaged, or of another model.
    """
    init_cfg = _init_cfg(case)
    start, whole = init_cfg.get('checkpoint'), case.cfg.get('load_from')
    if not start and not whole:
        yield Finding('ok', 'None to load: training starts from random weights.')
    if start:
        yield _unfetched(start) or check_encoder(case, start, init_cfg.get('prefix'))
    if whole:
        yield _unfetched(whole) or check_whole(case, whole)


def check_normalisation(case: Case) -> Iterator[Finding]:
    """Whether the encoder gets pictures as in the run of this project that it is from."""
    path = _init_cfg(case).get('checkpoint')
    if not path or _is_unfetched(path):
        return
    try:
        settings = json.loads(read_meta(path).get('training', '{}'))
    except ValueError:  # weights without their run, or none at all, which is said elsewhere
        return
    before, now = _normalisation(settings), _normalisation(case.cfg)
    if not before:
        return
    if before == now:
        yield Finding('ok', f'Pictures are normalised as in the run that made {path}.')
    else:
        yield Finding(
            'warning',
            f'Expected pictures normalised as in the run that made {path}, by {_text(before)}, '
            f'found {_text(now)}; set mean and std of model.data_preprocessor to those.',
        )


def _init_cfg(case: Case) -> Mapping:
    init_cfg = (case.cfg.model.get('backbone') or {}).get('init_cfg')
    return init_cfg if isinstance(init_cfg, Mapping) else {}


def _normalisation(settings: Mapping) -> tuple | None:
    """Mean and deviation; None if pictures are taken as they are, or elsewhere normalised."""
    model = settings.get('model') or {}
    preprocessor = model.get('data_preprocessor') or settings.get('data_preprocessor') or {}
    mean, std = preprocessor.get('mean'), preprocessor.get('std')
    return (list(mean), list(std)) if mean and std else None


def _text(normalisation: tuple | None) -> str:
    if not normalisation:
        return 'neither mean nor std'
    mean, std = (', '.join(map(str, values)) for values in normalisation)
    return f'mean {mean}, std {std}'


def _unfetched(source: str) -> Finding | None:
    """A checkpoint on the web that training would fetch, which is left to it."""
    if not _is_unfetched(source):
        return None
    return Finding(
        'warning',
        f'{source} is there ({megabytes(announced_bytes(source))}) but not fetched, so whether it '
        f'fits is not known; training fetches it to {str(cached_path(source))!r}.',
    )


def _is_unfetched(source: str) -> bool:
    return is_address(source) and not cached_path(source).is_file()


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
