"""Finding the encoder in a checkpoint of any common layout, and its names in ours: those of
mmpretrain's ``VisionTransformer``. Pure functions, dict to dict.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch

from .release import TRANSFER_ENCODER_NAMES, State, fused_bias, translate

# mmpretrain's BEiT: its layer scale and shared position bias have other names than ours.
MMPRETRAIN_NAMES = {
    **{mine: mine for mine in TRANSFER_ENCODER_NAMES.values()},
    'pre_norm': 'pre_norm',
    'layers.*.gamma_1': 'layers.*.attn.gamma1.weight',
    'layers.*.gamma_2': 'layers.*.ffn.gamma2.weight',
    'rel_pos_bias': 'rel_pos_bias',
}
# The release; timm, whose names DeiT, DINO, MAE, MoCo v3 and BEiT share.
BLOCKS_NAMES = {
    **TRANSFER_ENCODER_NAMES,
    'norm_pre': 'pre_norm',
    'blocks.*.ls1.gamma': 'layers.*.attn.gamma1.weight',
    'blocks.*.ls2.gamma': 'layers.*.ffn.gamma2.weight',
    'rel_pos_bias': 'rel_pos_bias',
}
# transformers' ViTModel.
TRANSFORMERS_NAMES = {
    'embeddings.cls_token': 'cls_token',
    'embeddings.position_embeddings': 'pos_embed',
    'embeddings.patch_embeddings.projection': 'patch_embed.projection',
    'encoder.layer.*.layernorm_before': 'layers.*.ln1',
    'encoder.layer.*.layernorm_after': 'layers.*.ln2',
    'encoder.layer.*.attention.attention.qkv': 'layers.*.attn.qkv',
    'encoder.layer.*.attention.output.dense': 'layers.*.attn.proj',
    'encoder.layer.*.intermediate.dense': 'layers.*.ffn.layers.0.0',
    'encoder.layer.*.output.dense': 'layers.*.ffn.layers.1',
    'layernorm': 'ln1',
}
# What tells a layout: the end of the name of its patch projection.
LAYOUTS = {
    'patch_embed.projection.weight': MMPRETRAIN_NAMES,
    'patch_embed.proj.weight': BLOCKS_NAMES,
    'embeddings.patch_embeddings.projection.weight': TRANSFORMERS_NAMES,
}
# Where several encoders are side by side in a model, the first of these that is there is the one
# meant.
STUDENTS = ('backbone', '', 'base_encoder')
# What DistributedDataParallel, FSDP, torch.compile and activation checkpointing put into names.
WRAPPERS = {
    'module', '_orig_mod', '_fsdp_wrapped_module', '_checkpoint_wrapped_module', '_forward_module'
}  # fmt: skip
# Parts besides those with names above that change what an encoder computes.
OTHER_PARTS = ('reg_token', 'dist_token', 'register_tokens', 'storage_tokens')
# What a ``backbone`` holds beside its encoder: the mask token of BEiT, DINOv2 and iBOT, the
# release's adapter, and indices that are computed.
NOT_OF_THE_ENCODER = re.compile(r'^(mask_token$|masked_embed$|fpn\d\.)|relative_position_index$')
# DINOv2 trains its blocks in chunks; the second number counts through all of them.
CHUNKED = re.compile(r'^blocks\.\d+\.(\d+)\.')


class EncoderState(NamedTuple):
    """An encoder's tensors under our names, and the checkpoint's names that are not of it."""

    tensors: State
    others: list[str]


def encoder_state(state: Mapping[str, torch.Tensor], prefix: str | None = None) -> EncoderState:
    """Find the encoder of a checkpoint.

    Knows the layouts of mmpretrain (ours; MAE, MoCo v3, BEiT), of the release, of timm (and of
    what shares its names: DeiT, DINO, iBOT, DINOv2, MAE, MoCo v3), and of transformers' ViT; as an
    algorithm, classifier, segmentor, or bare, wrapped by torch or not. Of several encoders of one
    model, ``backbone.`` is taken before a bare one and before MoCo v3's ``base_encoder``: the
    others are teachers. Where they are in different parts of a file (``student``, ``teacher``;
    ``model``, ``model_ema``), ``prefix`` has to say which.

    Args:
        state: All tensors of a checkpoint.
        prefix: Where the encoder is, in full (``state_dict.momentum_backbone.``) or in part
            (``teacher``). ``backbone.``, which configs of OpenMMLab have by habit, is no error
            where there is none.

    Returns:
        Its tensors, all of them: a part that we have no name for keeps its own. A projection of q,
        k and v has one weight and one bias, whose missing part for k is zero; a position bias that
        all blocks share is given to each of them.

    Raises:
        ValueError: If no encoder is found, or several that cannot be told apart, with all of them.
    """
    state = _unwrapped(state)
    return _taken(state, *_find(state, prefix))


def _taken(
    state: Mapping[str, torch.Tensor], prefix: str, names: Mapping[str, str]
) -> EncoderState:
    """The encoder under a prefix, of the layout with these names."""
    tops = {name.partition('.')[0] for name in names}.union(OTHER_PARTS)
    inside, others = {}, []
    for full_name, value in state.items():
        name = full_name.removeprefix(prefix)
        known = f'.{prefix}'.endswith('.backbone.') or name.partition('.')[0] in tops
        if full_name.startswith(prefix) and known and not NOT_OF_THE_ENCODER.search(name):
            inside[CHUNKED.sub(r'blocks.\1.', name)] = value
        else:
            others.append(full_name)
    tensors = {}
    for name, value in _fuse_projections(inside).items():
        try:
            tensors[translate(name, names)] = value
        except ValueError:
            tensors[name] = value
    return EncoderState(_spread_shared_table(tensors), others)


def encoder_sizes(tensors: Mapping[str, torch.Tensor]) -> str:
    """Depth, width, channels and patch of an encoder with our names, in words."""
    shape = tuple(tensors['patch_embed.projection.weight'].shape)
    blocks = {name.split('.')[1] for name in tensors if name.startswith('layers.')}
    patch = ' × '.join(map(str, shape[1:]))
    return f'{len(blocks)} blocks of width {shape[0]} on patches of {patch}'


def encoder_prefixes(names: Iterable[str]) -> dict[str, Mapping[str, str]]:
    """Prefixes of all encoders among a checkpoint's names, and the names of their layouts."""
    names = list(names)
    return {
        name.removesuffix(end): layout
        for end, layout in LAYOUTS.items()
        for name in names
        if name == end or name.endswith(f'.{end}')
    }


def _unwrapped(state: Mapping[str, torch.Tensor]) -> State:
    """Names without what wrappers put into them, unless two would become one."""
    bare = {
        '.'.join(part for part in name.split('.') if part not in WRAPPERS): value
        for name, value in state.items()
    }
    return bare if len(bare) == len(state) else dict(state)


def _find(state: Mapping[str, torch.Tensor], wanted: str | None) -> tuple[str, Mapping[str, str]]:
    """Prefix of the encoder's names in a checkpoint, and the names of its layout."""
    found = encoder_prefixes(state)
    chosen = [] if wanted is None else _under(found, wanted)
    if not chosen and wanted in (None, 'backbone', 'backbone.'):
        chosen = list(found)
    if len(chosen) > 1:
        chosen = _students(chosen) or chosen
    if len(chosen) != 1:
        raise ValueError(_choice(state, found, wanted))
    return chosen[0], found[chosen[0]]


def _under(prefixes: Iterable[str], wanted: str) -> list[str]:
    """The prefix that is the wanted one; if there is none, those that have it in them."""
    parts = '.'.join(part for part in wanted.strip('.').split('.') if part not in WRAPPERS)
    exact = [prefix for prefix in prefixes if prefix.rstrip('.') == parts]
    return exact or [prefix for prefix in prefixes if parts and f'.{parts}.' in f'.{prefix}']


def _students(prefixes: Sequence[str]) -> list[str]:
    """Which of several encoders of one model is meant; none if they are in different parts."""
    shared = os.path.commonprefix([prefix.split('.')[:-1] for prefix in prefixes])
    within = {'.'.join(prefix.split('.')[len(shared) : -1]): prefix for prefix in prefixes}
    return [within[student] for student in STUDENTS if student in within][:1]


def _choice(state: Mapping, found: Mapping[str, Mapping], wanted: str | None) -> str:
    """What is in a checkpoint, and how to choose from it."""
    where = 'in the checkpoint' if wanted is None else f'under prefix={wanted!r}'
    text = f'Expected one vision transformer with a patch embedding {where}, found '
    if not found:
        parts = Counter(name.partition('.')[0] for name in state)
        listed = ', '.join(f'{part!r} ({count})' for part, count in parts.most_common(5))
        rest = ' …' * (len(parts) > 5)
        return f'{text}none among its {len(state)} tensors, of {listed}{rest}; choose another.'
    encoders = []
    for prefix, names in found.items():
        tensors = _taken(state, prefix, names).tensors
        encoders.append(f'{prefix!r} ({len(tensors)} tensors, {encoder_sizes(tensors)})')
    return (
        f'{text}{" and ".join(encoders)} among its {len(state)} tensors; choose by prefix, as in '
        f"init_cfg=dict(type='PretrainedEncoder', checkpoint=…, prefix={next(iter(found))!r})."
    )


def _fuse_projections(state: Mapping[str, torch.Tensor]) -> State:
    """Give every attention one ``qkv.weight`` and one ``qkv.bias``."""
    fused = dict(state)
    for name in state:
        attn, _, leaf = name.rpartition('.')
        if leaf == 'q_bias' and f'{attn}.v_bias' in state:
            biases = fused.pop(name), fused.pop(f'{attn}.v_bias')
            fused[f'{attn}.qkv.bias'] = fused_bias(*biases)
        elif name.endswith('attention.query.weight') or name.endswith('attention.query.bias'):
            parts = [name.replace('.query.', f'.{part}.') for part in ('query', 'key', 'value')]
            if all(part in state for part in parts):
                fused[name.replace('.query.', '.qkv.')] = torch.cat([fused.pop(p) for p in parts])
    return fused


def _spread_shared_table(tensors: State) -> State:
    table = tensors.pop('rel_pos_bias.relative_position_bias_table', None)
    if table is not None:
        blocks = {match[1] for match in (re.match(r'layers\.(\d+)\.', n) for n in tensors) if match}
        for block in sorted(blocks, key=int):
            tensors[f'layers.{block}.attn.relative_position_bias_table'] = table
    return tensors
