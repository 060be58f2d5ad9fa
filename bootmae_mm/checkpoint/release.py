"""Names of weights between *ours*, mmpretrain's layout (``backbone.layers.0.ln1.weight``), and
*release*, that of the authors' checkpoints (``blocks.0.norm1.weight``). Pure functions, dict to
dict.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

State = dict[str, Tensor]

# Modules of the release and ours; '*' stands for a block's index.
ENCODER_NAMES = {
    'cls_token': 'cls_token',
    'pos_embed': 'pos_embed',
    'patch_embed.proj': 'patch_embed.projection',
    'blocks.*.norm1': 'layers.*.ln1',
    'blocks.*.norm2': 'layers.*.ln2',
    'blocks.*.attn.qkv': 'layers.*.attn.qkv',
    'blocks.*.attn.proj': 'layers.*.attn.proj',
    'blocks.*.mlp.fc1': 'layers.*.ffn.layers.0.0',
    'blocks.*.mlp.fc2': 'layers.*.ffn.layers.1',
    'norm': 'ln1',
}
# The release's classifiers and segmentation backbones have these besides.
TRANSFER_ENCODER_NAMES = {
    **ENCODER_NAMES,
    'fc_norm': 'ln2',
    'blocks.*.gamma_1': 'layers.*.attn.gamma1.weight',
    'blocks.*.gamma_2': 'layers.*.ffn.gamma2.weight',
    'blocks.*.attn.relative_position_bias_table': 'layers.*.attn.relative_position_bias_table',
}
CLASSIFIER_NAMES = {
    **{theirs: f'backbone.{mine}' for theirs, mine in TRANSFER_ENCODER_NAMES.items()},
    'head': 'head.fc',
}
# What transfer adds to a pretrained encoder, starting as the identity: the norm after a
# classifier's average, layer scale, relative position bias.
NEW_IN_TRANSFER = re.compile(r'^ln2\.|\.gamma[12]\.|\.relative_position_bias_table$')
# The adapter in the release's segmentation backbones, and ours.
PYRAMID_NAMES = {'fpn1.': 'upsample_4x.', 'fpn2.': 'upsample_2x.'}
DECODER_BLOCK_NAMES = {
    'norm1': 'norm1',
    'norm2': 'norm2',
    'norm3': 'norm_query',
    'norm4': 'norm_context',
    'attn.q': 'self_attn.q',
    'attn.kv': 'self_attn.kv',
    'attn.proj': 'self_attn.proj',
    'c_attn.q': 'cross_attn.q',
    'c_attn.kv': 'cross_attn.kv',
    'c_attn.proj': 'cross_attn.proj',
    'mlp.fc1': 'mlp.0',
    'mlp.fc2': 'mlp.2',
}


def _decoder_names(ours: str, suffix: str, head: str) -> dict[str, str]:
    names = {
        f'mask_token{suffix}': f'{ours}.mask_token',
        f'down{suffix}': f'{ours}.embed',
        f'decode_norm{suffix}': f'{ours}.norm',
        head: f'{ours}.head',
    }
    for theirs, mine in DECODER_BLOCK_NAMES.items():
        names[f'decode_blocks{suffix}.*.{theirs}'] = f'{ours}.blocks.*.{mine}'
    return names


PRETRAIN_NAMES = {
    **{theirs: f'backbone.{mine}' for theirs, mine in ENCODER_NAMES.items()},
    'de_pos_embed': 'regressor.pos_embed',
    **_decoder_names('regressor', '', 'lm_head.proj'),
    **_decoder_names('predictor', '_1', 'lm_head_1'),
}


def from_release(release: Mapping[str, Tensor], names: Mapping[str, str] = PRETRAIN_NAMES) -> State:
    """Release layout to ours; nothing is dropped.

    Args:
        release: Pretraining weights of the release (or of its encoder alone).
        names: Which modules to expect: ``PRETRAIN_NAMES`` or ``ENCODER_NAMES``.

    Raises:
        ValueError: If a name is not one of the release's.
    """
    ours = {translate(name, names): value for name, value in _fuse_biases(release).items()}
    if 'regressor.pos_embed' in ours:
        ours['predictor.pos_embed'] = ours['backbone.pos_embed'].clone()
    return ours


def pyramid_from_release(release: Mapping[str, Tensor]) -> State:
    """The adapter of the release's segmentation backbone (``fpn1.…``, ``fpn2.…``) in our layout."""
    return {PYRAMID_NAMES[name[:5]] + name[5:]: value for name, value in release.items()}


def to_release(ours: Mapping[str, Tensor], names: Mapping[str, str] = PRETRAIN_NAMES) -> State:
    """The inverse of :func:`from_release`.

    Raises:
        ValueError: If a name is not one of ours.
    """
    inverse = {mine: theirs for theirs, mine in names.items()}
    kept = {name: value for name, value in ours.items() if name != 'predictor.pos_embed'}
    return _split_biases({translate(name, inverse): value for name, value in kept.items()})


def translate(name: str, names: Mapping[str, str]) -> str:
    """The name of a tensor under a table of modules like ``ENCODER_NAMES``.

    Raises:
        ValueError: If its module is not in the table.
    """
    index = re.search(r'\.(\d+)\.', name)
    module = re.sub(r'\.\d+\.', '.*.', name, count=1)
    for known in (module, module.rpartition('.')[0]):
        if known in names:
            translated = names[known] + module[len(known) :]
            return translated.replace('*', index.group(1)) if index else translated
    raise ValueError(
        f'Expected the weights of a BootMAE model, found an unknown name {name!r}; check which '
        'kind of checkpoint this is.'
    )


def fused_bias(q_bias: Tensor, v_bias: Tensor) -> Tensor:
    """The bias of a fused ``qkv`` whose keys have none."""
    return torch.cat([q_bias, torch.zeros_like(q_bias), v_bias])


def _fuse_biases(release: Mapping[str, Tensor]) -> State:
    """Turn q_bias and v_bias into the biases of projections whose key bias is zero, and split the
    decoders' qkv, which is fused in the release, into q and kv."""
    fused = {}
    for name, value in release.items():
        prefix, _, leaf = name.rpartition('.')
        in_encoder = prefix.startswith('blocks.')
        if leaf == 'q_bias' and in_encoder:
            v_bias = release[f'{prefix}.v_bias']
            fused[f'{prefix}.qkv.bias'] = fused_bias(value, v_bias)
        elif leaf == 'q_bias':
            fused[f'{prefix}.q.bias'] = value
        elif leaf == 'v_bias' and not in_encoder:
            fused[f'{prefix}.kv.bias'] = torch.cat([torch.zeros_like(value), value])
        elif name.endswith('.attn.qkv.weight') and not in_encoder:
            q, k, v = value.chunk(3)
            attn = prefix.removesuffix('.qkv')
            fused[f'{attn}.q.weight'] = q
            fused[f'{attn}.kv.weight'] = torch.cat([k, v])
        elif leaf != 'v_bias':
            fused[name] = value
    return fused


def _split_biases(fused: Mapping[str, Tensor]) -> State:
    release = {}
    for name, value in fused.items():
        attn = name.rpartition('.')[0].rpartition('.')[0]
        if name.endswith('.qkv.bias'):
            release[f'{attn}.q_bias'], _, release[f'{attn}.v_bias'] = value.chunk(3)
        elif name.endswith('.kv.bias'):
            release[f'{attn}.v_bias'] = value.chunk(2)[1]
        elif name.endswith('attn.q.bias'):
            release[f'{attn}.q_bias'] = value
        elif name.endswith('.attn.q.weight'):
            release[f'{attn}.qkv.weight'] = torch.cat([value, fused[f'{attn}.kv.weight']])
        elif not name.endswith('.attn.kv.weight'):
            release[name] = value
    return release
