"""Finding the encoder in a checkpoint of any common layout, and its names in ours: those of
mmpretrain's ``VisionTransformer``. Pure functions, dict to dict.
"""

import re
from collections.abc import Mapping
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
# Where several encoders are in a checkpoint, the first of these that is there is the one meant.
STUDENTS = ('backbone.', '', 'base_encoder.')
# Parts besides those with names above that change what an encoder computes.
OTHER_PARTS = ('reg_token', 'dist_token')
# What a ``backbone`` holds beside its encoder: BEiT's mask token, the release's adapter, and
# indices that are computed.
NOT_OF_THE_ENCODER = re.compile(r'^(mask_token$|fpn\d\.)|relative_position_index$')


class EncoderState(NamedTuple):
    """An encoder's tensors under our names, and the checkpoint's names that are not of it."""

    tensors: State
    others: list[str]


def encoder_state(state: Mapping[str, torch.Tensor]) -> EncoderState:
    """Find the encoder of a checkpoint.

    Knows the layouts of mmpretrain (ours; MAE, MoCo v3, BEiT), of the release, of timm (and of
    what shares its names: DeiT, DINO, MAE, MoCo v3), and of transformers' ViT; as an algorithm,
    classifier, segmentor, or bare. Of several encoders, ``backbone.`` is taken before a bare one
    and before MoCo v3's ``base_encoder``: the others are teachers.

    Returns:
        Its tensors, all of them: a part that we have no name for keeps its own. A projection of q,
        k and v has one weight and one bias, whose missing part for k is zero; a position bias that
        all blocks share is given to each of them.

    Raises:
        ValueError: If no encoder is found, or several that cannot be told apart.
    """
    if all(name.startswith('module.') for name in state):  # DDP
        state = {name.removeprefix('module.'): value for name, value in state.items()}
    prefix, names = _find(state)
    tops = {name.partition('.')[0] for name in names}.union(OTHER_PARTS)
    inside, others = {}, []
    for full_name, value in state.items():
        name = full_name.removeprefix(prefix)
        known = prefix == 'backbone.' or name.partition('.')[0] in tops
        if full_name.startswith(prefix) and known and not NOT_OF_THE_ENCODER.search(name):
            inside[name] = value
        else:
            others.append(full_name)
    tensors = {}
    for name, value in _fuse_projections(inside).items():
        try:
            tensors[translate(name, names)] = value
        except ValueError:
            tensors[name] = value
    return EncoderState(_spread_shared_table(tensors), others)


def _find(state: Mapping[str, torch.Tensor]) -> tuple[str, Mapping[str, str]]:
    """Prefix of the encoder's names in a checkpoint, and the names of its layout."""
    found = {
        name.removesuffix(end): names
        for end, names in LAYOUTS.items()
        for name in state
        if name == end or name.endswith(f'.{end}')
    }
    prefix = next((student for student in STUDENTS if student in found), None)
    if prefix is None and len(found) == 1:
        prefix = next(iter(found))
    if prefix is None:
        places = ', '.join(map(repr, found)) or 'none'
        raise ValueError(
            'Expected one vision transformer with a patch embedding in the checkpoint, found '
            f'{places} among its {len(state)} tensors; check which kind of checkpoint this is.'
        )
    return prefix, found[prefix]


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
