"""The encoder on subsets of patches, and its fixed position embedding."""

import math

import pytest
import torch
from mmpretrain.models.backbones import VisionTransformer

from bootmae_mm.encoder import BootMAEViT
from bootmae_mm.encoder.position import sincos_position_embedding

ARCH = dict(embed_dims=24, num_layers=3, num_heads=3, feedforward_channels=48)


def build(**kwargs) -> BootMAEViT:
    model = BootMAEViT(ARCH, **{**dict(img_size=32, patch_size=8), **kwargs})
    model.init_weights()
    model.eval()
    return model


@pytest.mark.parametrize('grid', [(3, 3), (2, 5), (5, 2)])
def test_position_embedding_is_row_major_moco_v3(grid):
    dims = 16
    embedding = sincos_position_embedding(grid, dims)[0]
    assert embedding[0].abs().max() == 0
    for row in range(grid[0]):
        for column in range(grid[1]):
            omegas = [10000 ** (-d / (dims // 4)) for d in range(dims // 4)]
            expected = [
                f(position * omega)
                for position, f in (
                    (row, math.sin), (row, math.cos), (column, math.sin), (column, math.cos),
                )
                for omega in omegas
            ]  # fmt: skip
            actual = embedding[1 + row * grid[1] + column]
            torch.testing.assert_close(actual, torch.tensor(expected), atol=1e-6, rtol=1e-5)


def test_all_patches_give_the_backbone_of_mmpretrain(images):
    """The same weights in mmpretrain's ViT give the same features: one layout, one function."""
    model = build(out_type='raw')
    stock = VisionTransformer(ARCH, img_size=32, patch_size=8, out_type='raw')
    stock.eval()
    stock.load_state_dict(model.state_dict(), strict=True)
    last, _ = model.encode(images)
    torch.testing.assert_close(model.ln1(last), stock(images)[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model(images)[0], stock(images)[0], atol=1e-5, rtol=1e-5)


def test_a_subset_is_encoded_as_if_the_other_patches_were_not_there(images):
    model = build()
    ids = torch.tensor([[3, 0, 9], [15, 7, 8]])
    x = model.patch_embed(images)[0] + model.pos_embed[:, 1:]
    x = torch.stack([x[b, ids[b]] for b in range(2)])
    x = torch.cat([(model.cls_token + model.pos_embed[:, :1]).expand(2, 1, -1), x], dim=1)
    outputs = []
    for layer in model.layers:
        x = layer(x, (4, 4))
        outputs.append(x)
    last, taps = model.encode(images, ids, taps=(0, 2))
    torch.testing.assert_close(last, outputs[-1])
    assert sorted(taps) == [0, 2]
    torch.testing.assert_close(taps[0], outputs[0])


@pytest.mark.parametrize(
    ('size', 'patch_size'), [((16, 40), 8), ((18, 35), 8), ((16, 40), (8, 4)), ((17, 40), (8, 4))]
)
def test_patches_are_projected_as_by_the_convolution(size, patch_size):
    """All of them or some; also where the patch does not divide the image, or is no square."""
    model = build(img_size=16, patch_size=patch_size)
    images = torch.randn(2, 3, *size)
    expected = model.patch_embed(images)[0]
    torch.testing.assert_close(model._project(images, None), expected, atol=1e-5, rtol=1e-5)
    ids = torch.tensor([[3, 0, 9], [5, 7, 8]])
    some = torch.stack([expected[image, ids[image]] for image in range(2)])
    torch.testing.assert_close(model._project(images, ids), some, atol=1e-5, rtol=1e-5)


def test_square_patches_that_fill_the_image_need_no_convolution(images):
    model = build()
    model.patch_embed.forward = None
    assert model(images)[0].isfinite().all()


def test_chosen_patches_of_the_full_image_are_those_of_the_whole_output(images):
    model = build()
    ids = torch.tensor([[3, 0, 9, 15], [15, 7, 8, 0]])
    whole, _ = model.encode(images)
    rows = []
    model.layers[-1].ffn.register_forward_pre_hook(lambda _, inputs: rows.append(inputs[0].shape))
    chosen = model.encode_patches(images, ids)
    expected = torch.stack([whole[b, 1 + ids[b]] for b in range(2)])
    torch.testing.assert_close(chosen, expected, atol=1e-5, rtol=1e-5)
    assert rows == [(2, 4, 24)]


@pytest.mark.parametrize('option', [dict(window_size=2), dict(relative_position_bias=True)])
def test_chosen_patches_go_with_plain_attention_only(option, images):
    with pytest.raises(ValueError, match='neither windows nor a relative position bias'):
        build(**option).encode_patches(images, torch.tensor([[3, 8], [0, 15]]))


def test_several_subsets_of_an_image(images):
    """As if the image came once for each of them."""
    model = build()
    ids = torch.tensor([[3, 0, 9], [15, 7, 8], [1, 2, 3], [4, 5, 6]])
    last, _ = model.encode(images, ids)
    expected, _ = model.encode(images.repeat_interleave(2, 0), ids)
    torch.testing.assert_close(last, expected)


def test_the_order_of_the_patches_does_not_matter(images):
    model = build()
    ids = torch.tensor([[3, 0, 9], [15, 7, 8]])
    forwards, backwards = (model.encode(images, order)[0] for order in (ids, ids.flip(1)))
    torch.testing.assert_close(forwards[:, 1:], backwards[:, 1:].flip(1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(forwards[:, 0], backwards[:, 0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('stages, trained', [(-1, 42 - 1), (1, 2 * 12 + 2), (3, 0)])
def test_frozen_blocks_are_frozen_whole(stages, trained):
    """41 tensors train: 12 a block, class token, patch embedding and norm; the position embedding
    never does."""
    model = build(frozen_stages=stages)
    assert sum(p.requires_grad for p in model.parameters()) == trained


def test_non_square_images():
    model = build(img_size=(16, 40))
    assert model.pos_embed.shape == (1, 1 + 2 * 5, 24)
    last, _ = model.encode(torch.randn(1, 3, 16, 40))
    assert last.shape == (1, 11, 24) and last.isfinite().all()


def test_initialisation_has_the_release_bounds():
    model = build()
    qkv, fc2 = model.layers[1].attn.qkv, model.layers[1].ffn.layers[1]
    assert qkv.weight.abs().max().item() == pytest.approx(math.sqrt(6 / 48), rel=0.02)
    assert fc2.weight.abs().max().item() == pytest.approx(math.sqrt(6 / 72), rel=0.02)
    patches = model.patch_embed.projection
    bound = math.sqrt(6 / (3 * 8 * 8 + 24))
    assert patches.weight.abs().max().item() == pytest.approx(bound, rel=0.02)
    assert 0 < model.cls_token.abs().max() < 1e-5
    assert qkv.bias.abs().max() == fc2.bias.abs().max() == patches.bias.abs().max() == 0
    assert not model.pos_embed.requires_grad
    expected = sincos_position_embedding((4, 4), 24)
    torch.testing.assert_close(model.pos_embed.data, expected)


@pytest.mark.parametrize(
    'arch, dims, depth, heads',
    [('small', 384, 12, 6), ('huge', 1280, 32, 16)],
)
def test_named_sizes(arch, dims, depth, heads):
    expected = dict(
        embed_dims=dims, num_layers=depth, num_heads=heads, feedforward_channels=4 * dims
    )
    assert BootMAEViT.arch_zoo[arch] == expected


@pytest.mark.parametrize(
    'arch, message',
    [
        (dict(ARCH, num_heads=5), '5 heads and width 24'),
        (dict(ARCH, embed_dims=30), 'divisible by 4, found 30'),
    ],
)
def test_impossible_sizes_are_refused(arch, message):
    with pytest.raises(ValueError, match=message):
        BootMAEViT(arch, img_size=32, patch_size=8)


def test_other_grids_get_their_own_sincos_embedding_where_asked_for():
    """The same as an encoder built for the larger images; resizing gives something else."""
    images = torch.randn(1, 3, 48, 64)
    expected = build(img_size=(48, 64), out_type='featmap')
    for option, same in (('sincos', True), ('resize', False)):
        model = build(new_grid_pos_embed=option, out_type='featmap')
        state = {k: v for k, v in expected.state_dict().items() if k != 'pos_embed'}
        model.load_state_dict(state, strict=False)
        difference = (model(images)[0] - expected(images)[0]).abs().max()
        assert (difference < 1e-5) == same
        stored = build(new_grid_pos_embed=option, out_type='featmap')(images[..., :32, :32])[0]
        assert stored.shape[2:] == (4, 4)


def test_a_trained_embedding_has_no_sincos_for_other_grids(tmp_path):
    with pytest.raises(ValueError, match="trained one; use 'resize'"):
        build(new_grid_pos_embed='sincos', train_pos_embed=True)
    with pytest.raises(ValueError, match="'resize' or 'sincos', found 'other'"):
        build(new_grid_pos_embed='other')
    state = build().state_dict()
    state['pos_embed'] += torch.randn_like(state['pos_embed'])
    torch.save(state, tmp_path / 'trained.pth')
    init_cfg = dict(type='PretrainedEncoder', checkpoint=str(tmp_path / 'trained.pth'))
    with pytest.raises(ValueError, match="trained one; use 'resize'"):
        build(new_grid_pos_embed='sincos', init_cfg=init_cfg)


@pytest.mark.parametrize('kind', ['Pretrained', 'PretrainedEncoder'])
def test_a_checkpoint_loads_strictly_under_either_name(tmp_path, kind):
    """mmengine's own ``Pretrained`` loads nothing without the right prefix, and only warns."""
    state = build().state_dict()
    whole = {f'backbone.{name}': value + 1 for name, value in state.items()}
    torch.save(whole, tmp_path / 'whole.pth')
    loaded = build(init_cfg=dict(type=kind, checkpoint=str(tmp_path / 'whole.pth')))
    assert torch.equal(loaded.state_dict()['layers.0.ln1.weight'], state['layers.0.ln1.weight'] + 1)
    del whole['backbone.layers.0.ln1.weight']
    torch.save(whole, tmp_path / 'part.pth')
    with pytest.raises(ValueError, match='missing are layers.0.ln1.weight'):
        build(init_cfg=dict(type=kind, checkpoint=str(tmp_path / 'part.pth')))


def test_another_backbone_does_not_lose_its_weights_in_silence(tmp_path):
    """Its own parts would be initialised anew after they were loaded."""
    torch.save(build().state_dict(), tmp_path / 'encoder.pth')
    init_cfg = dict(type='PretrainedEncoder', checkpoint=str(tmp_path / 'encoder.pth'))
    other = VisionTransformer(arch='deit-tiny', img_size=32, patch_size=8, init_cfg=init_cfg)
    with pytest.raises(ValueError, match="in a VisionTransformer; use mmengine's Pretrained with"):
        other.init_weights()


def test_features_need_only_the_blocks_up_to_the_last_one_asked_for(images):
    model = build(out_indices=[1], out_type='raw')
    expected = model.encode(images, taps=[1])[1][1]
    model.layers[2] = None
    assert torch.equal(model(images)[0], expected)


def test_eval_gives_the_encoder_back():
    model = build()
    assert model.eval() is model and model.train() is model
