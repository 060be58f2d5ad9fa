"""Loading an encoder completely or not at all."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ..checkpoint.layouts import encoder_prefixes, encoder_sizes, encoder_state
from ..checkpoint.reading import read_tensors
from ..checkpoint.release import NEW_IN_TRANSFER, State
from .grids import fit_bias_table, fit_pos_embed

# The norms of the output; a config says by final_norm and out_type which of them there are.
OUTPUT_NORMS = re.compile(r'^ln[12]\.')
TABLE = re.compile(r'\.relative_position_bias_table$')
LAYER_SCALE = re.compile(r'\.gamma[12]\.weight$')


def load_encoder_file(encoder: nn.Module, source: str | Path, prefix: str | None = None) -> str:
    """Load an encoder from a checkpoint file or address, as :func:`load_encoder` does.

    Raises:
        ValueError: As :func:`load_encoder` and :func:`..checkpoint.reading.read_tensors` do.
    """
    return load_encoder(encoder, read_tensors(source), prefix)


def load_encoder(encoder: nn.Module, state: Mapping[str, Tensor], prefix: str | None = None) -> str:
    """Load every tensor of an encoder, or fail.

    Layouts: see :func:`.layouts.encoder_state`. Position embeddings and relative position tables of
    another grid are resized (:mod:`.grids` says which grid they are taken to be of).

    What transfer adds (``NEW_IN_TRANSFER``) keeps its initial values if the checkpoint has none of
    the kind. A norm of the output that the checkpoint has and the encoder was built without is left
    out. BEiT has no position embedding but relative positions: the encoder's then is set to zero.

    Args:
        encoder: A ``BootMAEViT`` or another mmpretrain ``VisionTransformer``.
        state: All tensors of a checkpoint.
        prefix: Which of several encoders is meant, see :func:`.layouts.encoder_state`.

    Returns:
        The report: ``loaded n/n encoder tensors``, and after semicolons what was resized, zeroed,
        left at its initial values, or not used.

    Raises:
        ValueError: If a tensor of the encoder is missing in ``state``, has another size, or
            ``state`` has one that the encoder has no place for: dropping it would change what is
            computed.
    """
    found, others = encoder_state(state, prefix)
    own = encoder.state_dict()
    _check_arch(found, own)
    notes = _zero_pos_embed(found, own)
    _check_places(found, own)
    new = _new_kinds(own, found)
    wanted = {name: value for name, value in own.items() if _kind(name) not in new}
    _check_complete(wanted, found)
    notes += _fit_grids(found, encoder.patch_resolution)
    _check_sizes(wanted, found)
    encoder.load_state_dict({**own, **{name: found[name] for name in wanted}})
    notes += [f'{kind} at initial values' for kind in new]
    unused = [name for name in found if name not in own]
    notes += [f'the norm {name} not used' for name in sorted({n.split('.')[0] for n in unused})]
    also = ', '.join(map(repr, encoder_prefixes(others)))
    also = f' (also an encoder: {also})' if also else ''
    notes += [f'{len(others)} tensors beside the encoder not used{also}'] * bool(others)
    return '; '.join([f'loaded {len(wanted)}/{len(wanted)} encoder tensors', *notes])


def _check_arch(found: State, own: State) -> None:
    """Raise if the encoders are of other sizes, or the tensors are no numbers to compute with."""
    theirs, ours = encoder_sizes(found), encoder_sizes(own)
    if theirs != ours:
        raise ValueError(
            f'The checkpoint is of another encoder: expected {ours}, found {theirs}; make arch, '
            'patch_size and in_channels those of the checkpoint.'
        )
    quantised = [name for name, value in found.items() if not value.is_floating_point()]
    if quantised:
        raise ValueError(
            f'Expected tensors of floating-point numbers, found {_listed(quantised)} of '
            f'{found[quantised[0]].dtype}; give the checkpoint as it was before quantisation.'
        )


def _zero_pos_embed(found: State, own: State) -> list[str]:
    if 'pos_embed' in found or 'pos_embed' not in own or not any(map(TABLE.search, found)):
        return []
    found['pos_embed'] = torch.zeros_like(own['pos_embed'])
    return ['position embedding set to zero, as the checkpoint has relative positions only']


def _check_places(found: State, own: State) -> None:
    """Raise if a tensor has no place in the encoder, norms of the output apart."""
    homeless = [n for n in found if n not in own and not OUTPUT_NORMS.search(n)]
    if not homeless:
        return
    options = []
    if any(map(TABLE.search, homeless)):
        options.append('relative_position_bias=True')
    if any(map(LAYER_SCALE.search, homeless)):
        options.append('layer_scale_init_value=0.1')
    remedy = f'build it with {" and ".join(options)}' if options else 'choose another encoder'
    raise ValueError(
        f'Expected an encoder with a place for every tensor of the checkpoint, found none for '
        f'{_listed(homeless)}; {remedy}.'
    )


def _fit_grids(found: State, target: tuple[int, int]) -> list[str]:
    """Resize what depends on the grid; returns what was resized, and from which grid."""
    sources = {}
    for name, value in found.items():
        if name == 'pos_embed':
            found[name], sources['position embedding'] = fit_pos_embed(value.float(), target)
        elif TABLE.search(name):
            found[name], sources['relative position tables'] = fit_bias_table(value.float(), target)
    return [
        f'{what} resized from {source[0]} × {source[1]} to {target[0]} × {target[1]}'
        for what, source in sources.items()
        if tuple(source) != tuple(target)
    ]


def _kind(name: str) -> str | None:
    """What of :data:`NEW_IN_TRANSFER` a tensor is, in words; None if it is no such thing."""
    if not NEW_IN_TRANSFER.search(name):
        return None
    if TABLE.search(name):
        return 'relative position bias'
    return 'layer scale' if LAYER_SCALE.search(name) else 'the norm ln2'


def _new_kinds(own: State, found: State) -> list[str]:
    """Kinds that the encoder has and the checkpoint has nothing of."""
    kinds = dict.fromkeys(kind for kind in map(_kind, own) if kind)
    return [kind for kind in kinds if kind not in set(map(_kind, found))]


def _check_complete(wanted: State, found: State) -> None:
    missing = [name for name in wanted if name not in found]
    if not missing:
        return
    remedy = 'choose another checkpoint'
    if all(name.startswith('ln1.') for name in missing):
        remedy = 'a fine-tuned classifier or segmentor has no final norm: set final_norm=False'
    raise ValueError(
        f'Expected all {len(wanted)} tensors of the encoder, found {len(wanted) - len(missing)} in '
        f'the checkpoint; missing are {_listed(missing)}; {remedy}.'
    )


def _check_sizes(wanted: State, found: State) -> None:
    for name, value in wanted.items():
        if found[name].shape != value.shape:
            raise ValueError(
                f'The checkpoint is of another encoder: expected {name} of size '
                f'{tuple(value.shape)}, found {tuple(found[name].shape)}; make arch, patch_size '
                'and in_channels those of the checkpoint.'
            )


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ', '.join(names[:5]) + ' …' * (len(names) > 5)
