"""Features, masks and pictures against plain loops."""

import math
import random

import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS

from bootmae_mm.pretrain.compiling import compile_blocks
from bootmae_mm.pretrain.masking import BlockwiseMasking, RandomMasking
from bootmae_mm.visualization import features, images, masks, painting, pretraining
from tests.helpers.images import some_pixels
from tests.helpers.models import build_tiny, random_samples, tiny_config

PREPROCESSOR = dict(type='SelfSupDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True)


def trained_tiny(**changes) -> torch.nn.Module:
    """A tiny model whose teacher is not the student."""
    model = build_tiny(data_preprocessor=PREPROCESSOR, **changes).eval()
    if model.teacher is not None:
        for param in model.teacher.parameters():
            param.add_(0.1 * torch.randn_like(param))
    return model


# ------------------------------------------------------------------------------------- features


@pytest.mark.parametrize('fraction, num_targets', [(1.0, 12), (0.25, 4)])
def test_the_cosine_is_what_the_loss_measures(images, fraction, num_targets):
    """Squared error of two vectors of mean 0 and length sqrt(D), over D: 2 (1 - cosine)."""
    model = trained_tiny(
        centre_weighting=False, teacher=dict(type='MomentumTeacher', fraction=fraction)
    )
    samples = random_samples(2)
    ids = model.patch_ids(samples, images.device)
    found = features.agreement(model, images, *ids)
    loss = model.loss(images, samples)['L_feature'].item()
    assert 2 * (1 - found.mean) == pytest.approx(loss, rel=1e-4)
    for row, masked in zip(found.cosine_BN, ids[1], strict=True):
        known = torch.zeros(16, dtype=torch.bool)
        known[masked[:num_targets]] = True
        assert torch.equal(~row.isnan(), known)
    assert found.cosine_BN.nanmean().item() == pytest.approx(found.mean, abs=1e-6)


def test_the_cosine_of_every_patch_and_of_a_constant(images):
    model = trained_tiny()
    visible, masked = model.patch_ids(random_samples(2), images.device)
    found = features.agreement(model, images, visible, masked)
    with torch.no_grad():
        latent, outputs = model.encode(images, visible)
        context = outputs[model.predictor.context_layer]
        pred = model.predictor(latent, context, masked).double().numpy()
        teacher = model.teacher(images, masked).double().numpy()

    def unit(vector):
        vector = vector - vector.mean()
        return vector / np.sqrt((vector**2).sum())

    target = np.array([[unit(vector) for vector in row] for row in teacher])
    average = unit(target.mean((0, 1)))
    constants = []
    for b in range(2):
        for k in range(12):
            cosine = (unit(pred[b, k]) * target[b, k]).sum()
            assert found.cosine_BN[b, masked[b, k]].item() == pytest.approx(cosine, abs=1e-4)
            constants.append((average * target[b, k]).sum())
    assert found.constant == pytest.approx(np.mean(constants), abs=1e-4)


def orthonormal(dims: int) -> torch.Tensor:
    """Three directions in ``dims`` dimensions, each with its largest coefficient positive."""
    directions, _ = torch.linalg.qr(torch.randn(dims, 3, dtype=torch.double))
    largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    return directions * largest.sign()


def test_principal_components_become_red_green_and_blue():
    """Known scores along known directions, of descending variance, come back as colours."""
    scores = torch.randn(2 * 50, 3, dtype=torch.double)
    scores, _ = torch.linalg.qr(scores - scores.mean(0))  # uncorrelated, of mean 0
    vectors = (scores * torch.tensor([9.0, 4.0, 2.0])) @ orthonormal(8).T + 5.0
    colours = features.pca_colours(vectors.view(2, 50, 8)).view(100, 3)
    low, high = np.percentile(scores.numpy(), (1, 99), axis=0)
    expected = np.rint(255 * ((scores.numpy() - low) / (high - low)).clip(0, 1))
    assert np.abs(colours.numpy().astype(float) - expected).max() <= 1


def test_principal_components_are_computed_over_all_images_together():
    """A patch of the same features has the same colour in every image."""
    vectors = torch.randn(3, 20, 8)
    vectors[2, :5] = vectors[0, 3:8]
    colours = features.pca_colours(vectors)
    assert torch.equal(colours[2, :5], colours[0, 3:8])
    alone = features.pca_colours(vectors[:1])
    assert not torch.equal(alone, colours[:1])


def test_components_without_variance_are_grey():
    rank_one = torch.linspace(-1, 1, 30)[:, None] * torch.randn(6)
    colours = features.pca_colours(rank_one.view(1, 30, 6))[0]
    assert (colours[:, 1:] == 128).all() and colours[:, 0].float().std() > 50
    assert (features.pca_colours(torch.ones(2, 4, 5)) == 128).all()


@pytest.mark.parametrize('bias', [False, True])
def test_attention_of_the_class_token_is_softmax_of_q_and_k(images, bias):
    torch.manual_seed(3)
    cfg = {**tiny_config()['backbone'], 'relative_position_bias': bias}
    encoder = MODELS.build(cfg)
    encoder.init_weights()
    encoder.eval()
    last = encoder.layers[-1]
    with torch.no_grad():
        for param in encoder.parameters():
            param.add_(0.3 * torch.randn_like(param))
        weights = features.class_attention(encoder, images)
        x, _ = encoder.encode(images, num_blocks=2)
        x = last.ln1(x).double()
        weight = last.attn.qkv.weight.double().view(3, 3, 8, 24)  # part, head, channel, input
        offset = last.attn.qkv.bias.double().view(3, 3, 8)
        table = last.attn.position_bias((4, 4)) if bias else torch.zeros(1, 3, 17, 17)
    assert weights.shape == (2, 3, 16)
    for b in range(2):
        for head in range(3):
            q = weight[0, head] @ x[b, 0] + offset[0, head]
            scores = [
                math.exp(
                    (q @ (weight[1, head] @ x[b, t])).item() / math.sqrt(8)
                    + table[0, head, 0, t].item()
                )
                for t in range(17)
            ]
            expected = np.array(scores[1:]) / sum(scores)
            np.testing.assert_allclose(weights[b, head].numpy(), expected, rtol=1e-4)


# ------------------------------------------------------------------------------------- painting


def test_colours_run_from_violet_to_yellow():
    colours = painting.heat(np.array([-3.0, 0.0, 0.25, 0.125, 1.0, 9.0]), 0, 1)
    violet, between, blue, yellow = [68, 1, 84], [71, 45, 123], [59, 82, 139], [253, 231, 37]
    expected = [violet, violet, blue, between, yellow, yellow]
    assert colours.dtype == np.uint8 and np.abs(colours.astype(int) - expected).max() <= 1


def test_the_scale_of_cosines():
    """Violet, blue, teal, green, yellow at 0, 0.7, 0.9, 0.97 and 0.99, as the caption says."""
    stops = pretraining.cosine_colours(np.array([0, 0.7, 0.9, 0.97, 0.99])).astype(int)
    expected = [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)]
    assert np.abs(stops - expected).max() <= 8
    ends = pretraining.cosine_colours(np.array([-1, 1.0, 1.0000001]))
    assert np.array_equal(ends, painting.heat(np.array([0.0, 1.0, 1.0]), 0, 1))


def test_a_sheet_has_every_picture_in_its_place():
    """Small ones enlarged by a whole factor (40 → 160), large ones averaged (600 → 256)."""
    small, large = some_pixels(2, 40), some_pixels(1, 600)[0]
    rows = [(small[0], large), (small[1], large)]
    figure = painting.Figure('a', 'A', ('one', 'two'), rows, 'a caption of some words')
    page = painting.sheet(figure)
    top, left = painting.MARGIN + painting.LINE, painting.MARGIN
    assert np.array_equal(page[top : top + 160 : 4, left : left + 160 : 4], small[0])
    second = top + 256 + painting.GAP
    assert np.array_equal(page[second + 3 : second + 160 : 4, left : left + 160 : 4], small[1])
    shown = page[top : top + 256, left + 160 + painting.GAP :][:, :256]
    assert np.abs(shown.mean((0, 1)) - large.mean((0, 1))).max() < 1
    for band in (page[:top, left : left + 40], page[second + 256 :]):
        assert (band == 0).any() and (band == 255).any()  # letters


# -------------------------------------------------------------------------------------- figures


def test_the_figures_of_a_pretraining_model():
    model = trained_tiny()
    pixels, masking = some_pixels(), RandomMasking(4, 12)
    figures = pretraining.pretraining_figures(model, pixels, masking, seed=1)
    reconstruction, cosine, pca = figures
    assert [figure.name for figure in figures] == ['reconstruction', 'cosine', 'pca']
    assert 'true patch' in reconstruction.caption and 'did not predict' in reconstruction.caption
    visible, masked = masks.draw_ids(masking, 2, 1)
    cosines = features.agreement(model, images.normalise(model, pixels), visible, masked).cosine_BN
    colours = features.pca_colours(
        features.patch_features(model.backbone, images.normalise(model, pixels))
    )
    for b in range(2):
        original, hidden, _, pasted = reconstruction.rows[b]
        assert np.abs(original.astype(int) - pixels[b]).max() <= 1
        for n in range(16):
            patch = np.s_[n // 4 * 8 : n // 4 * 8 + 8, n % 4 * 8 : n % 4 * 8 + 8]
            shown = cosine.rows[b][1][patch]
            if n in visible[b]:
                assert np.array_equal(pasted[patch], original[patch])
                assert (shown == shown[..., :1]).all() and shown.min() >= 128  # pale grey
            else:
                assert len(np.unique(hidden[patch])) == 1
                assert (shown == pretraining.cosine_colours(cosines[b, n, None].numpy())).all()
            assert (pca.rows[b][1][patch] == colours[b, n].numpy()).all()


@pytest.mark.parametrize('left', ['reconstruction', 'cosine'])
def test_a_model_without_a_target_has_no_figure_of_it(left):
    parts = dict(regressor=None, pixel_head=None)
    if left == 'reconstruction':
        parts = dict(predictor=None, feature_head=None, teacher=None)
    figures = pretraining.pretraining_figures(
        trained_tiny(**parts), some_pixels(), RandomMasking(4, 12)
    )
    assert [figure.name for figure in figures] == [left, 'pca']


def test_masks_of_another_grid_are_an_error():
    with pytest.raises(ValueError, match='masks over 9 patches'):
        pretraining.pretraining_figures(trained_tiny(), some_pixels(), RandomMasking(3, 6))


def test_attention_has_a_map_for_every_head():
    model = trained_tiny()
    pca, attention = pretraining.encoder_figures(model, some_pixels())
    assert (pca.name, attention.labels) == ('pca', ('original', 'head 1', 'head 2', 'head 3'))
    weights = features.class_attention(model.backbone, images.normalise(model, some_pixels()))
    for b in range(2):
        for head in range(3):
            shown = attention.rows[b][1 + head][::8, ::8].reshape(16, 3)
            share = (weights[b, head] / weights[b, head].max()).numpy()
            assert np.array_equal(shown, painting.heat(share, 0, 1))


def test_drawing_leaves_modes_and_random_states_alone():
    model = trained_tiny().train()
    model.backbone.layers[0].eval()
    before = [module.training for module in model.modules()]
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    pretraining.pretraining_figures(model, some_pixels(), BlockwiseMasking(4, 12))
    assert [module.training for module in model.modules()] == before
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tolist() == states[1]
    assert torch.equal(torch.get_rng_state(), states[2])
    assert all(param.grad is None for param in model.parameters())


def test_compiled_blocks_are_not_compiled_for_pictures():
    model, calls = trained_tiny(), []

    def backend(graph, example_inputs):
        calls.append(graph)
        return graph.forward

    compile_blocks(model, backend=backend)
    pretraining.pretraining_figures(model, some_pixels(), RandomMasking(4, 12))
    assert not calls
    with torch.no_grad():
        model.backbone.encode(torch.zeros(1, 3, 32, 32))
    assert calls
