"""Checkpoints as other projects write them: the encoder's features against our own file of the same
weights, or a sentence that names what is inside."""

import os
import zipfile
from argparse import Namespace
from collections.abc import Callable

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from bootmae_mm.checkpoint import read_state_dict
from bootmae_mm.checkpoint.reading import read_tensors
from bootmae_mm.encoder.loading import load_encoder_file
from tests.helpers.data_cases import assert_one_sentence
from tests.helpers.models import build_tiny, randomise

# Ours on the left, timm's on the right, written out.
TIMM = {
    'patch_embed.projection': 'patch_embed.proj',
    '.ffn.layers.0.0.': '.mlp.fc1.',
    '.ffn.layers.1.': '.mlp.fc2.',
    'layers.': 'blocks.',
    '.ln1.': '.norm1.',
    '.ln2.': '.norm2.',
}
ADAM = dict(state={0: dict(step=torch.ones(()), exp_avg=torch.ones(24))}, param_groups=[{}])


def vit(seed: int = 3) -> nn.Module:
    return randomise(build_tiny().backbone, seed)


def timm(seed: int = 3, prefix: str = '', rename: Callable[[str], str] = str) -> dict[str, Tensor]:
    """The encoder of a seed under timm's names."""
    state = {}
    for name, value in vit(seed).state_dict().items():
        for mine, theirs in TIMM.items():
            name = name.replace(mine, theirs)
        state[prefix + rename(name.replace('ln1.', 'norm.') if name[:3] == 'ln1' else name)] = value
    return state


def chunked(name: str) -> str:
    """DINOv2 in training: block 1 is the second of the first chunk, block 2 in the second."""
    for block, chunk in (('0', '0'), ('1', '0'), ('2', '1')):
        name = name.replace(f'blocks.{block}.', f'blocks.{chunk}.{block}.')
    return name


def compiled_blocks(name: str) -> str:
    return name.replace('.attn.', '._orig_mod.attn.')


HEAD = {'head.mlp.0.weight': torch.ones(4, 24), 'head.last_layer.weight_g': torch.ones(4, 1)}
MAE = {
    'decoder_embed.weight': torch.ones(16, 24),
    'decoder_blocks.0.attn.qkv.weight': torch.ones(48, 16),
    'mask_token': torch.ones(1, 1, 16),
}
# One encoder in the file, or one that is known to be meant. Seed 3 is the right one.
LOADED = {
    'timm': timm(),
    'MAE': dict(model=timm() | MAE, optimizer=ADAM, scaler={}, epoch=4, args=Namespace(lr=1.0)),
    'DINO teacher': timm() | {'mask_token': torch.ones(1, 24)},
    'DINOv2 teacher': dict(
        teacher=timm(prefix='backbone.', rename=chunked)
        | {'backbone.mask_token': torch.ones(1, 24), 'dino_head.mlp.0.weight': torch.ones(4, 24)}
    ),
    'mmpretrain': dict(
        meta=dict(epoch=3),
        state_dict={f'backbone.{n}': v for n, v in vit().state_dict().items()}
        | {f'momentum_encoder.module.0.{n}': v for n, v in vit(4).state_dict().items()},
        ema_state_dict={f'module.backbone.{n}': v for n, v in vit(4).state_dict().items()},
        optimizer=ADAM,
    ),
    'BootMAE': dict(
        model=timm() | {'decode_blocks.0.norm1.weight': torch.ones(16)}, model_ema=timm(4)
    ),
    'Lightning': {
        'pytorch-lightning_version': '2.2',
        'state_dict': timm(prefix='model.'),
        'optimizer_states': [ADAM],
        'loops': {'fit_loop': {'state_dict': {}}},
    },
    'solo-learn': dict(
        state_dict=timm(prefix='backbone.') | timm(4, 'momentum_backbone.') | HEAD, epoch=2
    ),
    'lightly': dict(state_dict=timm(prefix='backbone.vit.') | {'decoder.x': torch.ones(2)}),
    'DDP of compile': dict(state_dict=timm(prefix='module._orig_mod.')),
    'compile of DDP': dict(model=timm(prefix='_orig_mod.module.')),
    'compiled blocks': timm(rename=compiled_blocks),
    'FSDP': dict(model=timm(prefix='_fsdp_wrapped_module.')),
    'DeepSpeed': dict(module=timm(prefix='encoder.'), optimizer=ADAM, global_steps=4),
    'SWA': dict(state_dict=timm(prefix='module.') | {'n_averaged': torch.tensor(3)}),
    'in a list': ['weights', timm()],
}
DINO = dict(
    student=timm(4, 'module.backbone.') | {f'module.{n}': v for n, v in HEAD.items()},
    teacher=timm(prefix='backbone.') | HEAD,
    dino_loss={'center': torch.ones(1, 4)},
    optimizer=ADAM,
    args=Namespace(arch='vit'),
)
# What is in the file, the names of the encoders, and the prefixes that take that of seed 3.
SEVERAL = {
    'DINO': (DINO, ('student.backbone.', 'teacher.backbone.'), ('teacher.backbone.', 'teacher')),
    'iBOT': (
        dict(student=timm(4, 'module.backbone.') | {'module.backbone.masked_embed': torch.ones(1)},
             teacher=timm(prefix='backbone.')),
        ('student.backbone.', 'teacher.backbone.'), ('teacher.',),
    ),
    'DINOv2': (
        dict(model=timm(4, 'student.backbone.') | timm(prefix='teacher.backbone.'), iteration=3),
        ('model.student.backbone.', 'model.teacher.backbone.'), ('teacher.backbone.',),
    ),
    'I-JEPA': (
        dict(encoder=timm(4, 'module.'), target_encoder=timm(prefix='module.'),
             predictor={'module.predictor_embed.weight': torch.ones(8, 24)}, opt=ADAM, epoch=2),
        ('encoder.', 'target_encoder.'), ('target_encoder.', 'target_encoder.module.'),
    ),
    'timm with EMA': (
        dict(state_dict=timm(4), state_dict_ema=timm(), arch='vit'),
        ('state_dict.', 'state_dict_ema.'), ('state_dict_ema',),
    ),
    'an average beside it': (
        dict(encoder=timm(), ema={'encoder': timm(4)}), ('encoder.', 'ema.encoder.'), ('encoder.',),
    ),
    'DeiT with EMA': (
        dict(model=timm(), model_ema=timm(4)), ('model.', 'model_ema.'), ('model.', 'model'),
    ),
}  # fmt: skip


@pytest.fixture
def target() -> nn.Module:
    return vit(9)


def assert_seed_3(target: nn.Module, images: Tensor) -> None:
    with torch.no_grad():
        torch.testing.assert_close(target(images)[-1], vit()(images)[-1])


@pytest.mark.parametrize('kind', LOADED)
def test_one_encoder_is_found(kind, target, images, tmp_path):
    torch.save(LOADED[kind], tmp_path / 'a.pth')
    report = load_encoder_file(target, tmp_path / 'a.pth')
    assert report.startswith('loaded 42/42 encoder tensors')
    assert ('also an encoder' in report) == (kind in ('solo-learn', 'mmpretrain'))
    assert_seed_3(target, images)


@pytest.mark.parametrize('kind', SEVERAL)
def test_of_several_none_is_guessed(kind, target, images, tmp_path):
    content, names, prefixes = SEVERAL[kind]
    torch.save(content, tmp_path / 'a.pth')
    before = target.cls_token.clone()
    with pytest.raises(ValueError) as error:
        load_encoder_file(target, tmp_path / 'a.pth')
    assert_one_sentence(error.value, f'choose by prefix, as in .* prefix={names[0]!r}')
    for name in names:
        assert f'{name!r} (42 tensors, 3 blocks of width 24 on patches of 3 × 8 × 8)' in str(
            error.value
        )
    assert torch.equal(target.cls_token, before)
    for prefix in prefixes:
        load_encoder_file(target, tmp_path / 'a.pth', prefix)
        assert_seed_3(target, images)
        randomise(target, 9)


def test_a_prefix_that_fits_nothing_or_several(target, images, tmp_path):
    torch.save(DINO, tmp_path / 'dino.pth')
    torch.save(timm(), tmp_path / 'timm.pth')
    for prefix in ('momentum.', 'backbone.', 'eacher', ''):
        with pytest.raises(ValueError, match=f"under prefix='{prefix}', found 'student.backbone."):
            load_encoder_file(target, tmp_path / 'dino.pth', prefix)
    with pytest.raises(ValueError, match="under prefix='teacher', found '' .42 tensors"):
        load_encoder_file(target, tmp_path / 'timm.pth', 'teacher')
    load_encoder_file(target, tmp_path / 'timm.pth', 'backbone.')  # OpenMMLab's habit
    assert_seed_3(target, images)


def test_init_cfg_takes_the_prefix(target, images, tmp_path):
    torch.save(DINO, tmp_path / 'dino.pth')
    path = str(tmp_path / 'dino.pth')
    for kind in ('PretrainedEncoder', 'Pretrained'):
        randomise(target, 9)
        target.init_cfg = dict(type=kind, checkpoint=path, prefix='teacher.backbone.')
        target.init_weights()
        assert_seed_3(target, images)
    teacher = dict(type='FrozenTeacher', checkpoint=path, prefix='teacher')
    assert torch.equal(build_tiny(teacher=teacher).teacher.encoder.cls_token, vit().cls_token)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(dtype, target, tmp_path):
    state = {name: value.to(dtype) for name, value in timm().items()}
    state['pos_embed'] = torch.ones(1, 26, 24, dtype=dtype)  # to be resized
    torch.save(state, tmp_path / 'a.pth')
    assert 'resized from 5 × 5 to 4 × 4' in load_encoder_file(target, tmp_path / 'a.pth')
    assert torch.equal(target.layers[2].attn.qkv.weight, state['blocks.2.attn.qkv.weight'].float())
    assert torch.allclose(target.pos_embed, torch.ones(()), atol=1e-2)


def changed(name: str, value: Tensor | None) -> dict[str, Tensor]:
    return {n: v for n, v in {**timm(), name: value}.items() if v is not None}


@pytest.mark.parametrize(
    'content, sentence',
    [
        (dict(optimizer=ADAM, epoch=3), r"none in what it holds \('optimizer', 'epoch'\)"),
        ([], r'none in what it holds \(list\)'),
        (dict(model={'fc.weight': torch.ones(2)}), r"none among its 1 tensors, of 'model' \(1\)"),
        (dict(model={'_flat_param': torch.ones(9)}), 'none among its 1 tensors'),
        (changed('cls_token', None), 'missing are cls_token;'),
        (changed('register_tokens', torch.ones(1, 4, 24)), 'found none for register_tokens'),
        (
            dict(teacher={f'backbone.{n}': v for n, v in changed('rope.x', torch.ones(2)).items()}),
            'found none for rope.x',
        ),
        (changed('norm.bias', torch.ones(24, dtype=torch.int8)), 'ln1.bias of torch.int8'),
        (changed('patch_embed.proj.weight', torch.ones(0)), 'found 3 blocks of width 0'),
        (
            changed('patch_embed.proj.weight', torch.ones(24, 3, 2, 8, 8)),
            'width 24 on patches of 3 × 8 × 8, found 3 blocks of width 24 on .* 3 × 2 × 8 × 8',
        ),
    ],
)
def test_what_does_not_fit_is_named(content, sentence, target, tmp_path):
    torch.save(content, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=sentence) as error:
        load_encoder_file(target, tmp_path / 'a.pth')
    assert_one_sentence(error.value, '')


MISTAKEN = {
    'empty': (b'', 'it is empty'),
    'web page': (b'\n<!DOCTYPE html><html>Not found</html>', 'it is a page of the web'),
    'LFS': (b'version https://git-lfs.github.com/spec/v1\noid sha256:0\n', 'Git LFS: git lfs pull'),
    'annex': (b'/annex/objects/SHA256E-s9--0a.pth\n', 'git-annex: git annex get'),
    'gzip': (b'\x1f\x8b\x08\x00abc', 'it is compressed: unpack it'),
}


@pytest.mark.parametrize('kind', MISTAKEN)
@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_files_that_are_no_checkpoint(kind, suffix, tmp_path):
    path = tmp_path / f'a.{suffix}'
    path.write_bytes(MISTAKEN[kind][0])
    for read in (read_state_dict, read_tensors):
        with pytest.raises(ValueError, match=MISTAKEN[kind][1]) as error:
            read(path)
        assert_one_sentence(error.value, 'fetch it anew')


def test_a_zip_of_something_else_and_links_to_nothing(tmp_path):
    with zipfile.ZipFile(tmp_path / 'a.pth', 'w') as file:
        file.writestr('pictures/1.jpg', b'x')
    with pytest.raises(ValueError, match="a zip of other files, such as 'pictures/1.jpg'"):
        read_tensors(tmp_path / 'a.pth')
    os.symlink('.git/annex/objects/x', tmp_path / 'b.pth')
    with pytest.raises(ValueError, match="found a link to '.git/annex/objects/x', which is not"):
        read_tensors(tmp_path / 'b.pth')
    with pytest.raises(ValueError, match='found a folder at'):
        read_tensors(tmp_path)


def test_safetensors_by_any_name(target, images, tmp_path):
    save_file(timm(), tmp_path / 'pytorch_model.bin')
    load_encoder_file(target, tmp_path / 'pytorch_model.bin')
    assert_seed_3(target, images)


def test_dictionaries_without_end_are_refused(tmp_path):
    endless = {}
    endless['a'] = endless
    torch.save(endless, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='damaged or holds other objects'):
        read_tensors(tmp_path / 'a.pth')
