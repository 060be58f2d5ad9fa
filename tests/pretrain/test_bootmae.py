"""The algorithm: what its loss is made of, its ablations, and what it refuses."""

import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from bootmae_mm.encoder import tokens
from tests.helpers.models import build_tiny, random_samples, tiny_config

WITHOUT_PIXELS = dict(regressor=None, pixel_head=None)
WITHOUT_FEATURES = dict(predictor=None, feature_head=None, teacher=None)


def ids_of(samples):
    return (
        torch.stack([torch.from_numpy(s.get(key)) for s in samples])
        for key in ('ids_visible', 'ids_masked')
    )


def test_the_loss_is_the_weighted_sum_of_its_parts(images):
    model = build_tiny()
    model.feature_weight = 0.3
    log = model.loss(images, random_samples(2))
    torch.testing.assert_close(log['loss'], log['L_pixel'] + 0.3 * log['L_feature'])
    assert log['feature_weight'].item() == pytest.approx(0.3)
    total, shown = model.parse_losses(log)
    assert total is log['loss']
    assert shown == pytest.approx({name: value.item() for name, value in log.items()})


def test_a_permutation_of_the_masked_patches_does_not_change_the_loss(images):
    model, samples = build_tiny(), random_samples(2)
    loss = model.loss(images, samples)['loss']
    for sample in samples:
        sample.set_field(sample.get('ids_masked')[::-1].copy(), 'ids_masked')
    torch.testing.assert_close(model.loss(images, samples)['loss'], loss, rtol=1e-5, atol=1e-6)


def test_masked_pixels_reach_the_loss_only_as_targets(images):
    """Without pixel target and with a frozen target, masked pixels are nowhere in the student."""
    model, samples = build_tiny(), random_samples(2)
    _, masked = ids_of(samples)
    hidden = images.clone()
    patches = tokens.patchify(hidden, 8)
    for b in range(2):
        patches[b, masked[b]] = 0
    hidden = tokens.unpatchify(patches, (4, 4))
    visible, _ = ids_of(samples)
    latents = [model.encode(x, visible).latent_BTD for x in (images, hidden)]
    assert torch.equal(*latents)


def test_centre_weighting(images):
    model, plain = build_tiny(), build_tiny(centre_weighting=False)
    _, masked = ids_of(random_samples(2))
    mask = tokens.mask_from_ids(masked, 16)
    expected = tokens.centre_weights(mask, (4, 4)).gather(1, masked)
    assert torch.equal(model.token_weights(masked), expected)
    assert torch.equal(plain.token_weights(masked), torch.ones(2, 12))
    assert expected.min() > 1


@pytest.mark.parametrize(
    'changes, parts',
    [
        (WITHOUT_FEATURES, {'L_pixel'}),
        (WITHOUT_PIXELS, {'L_feature'}),
        (dict(regressor=dict(type='TargetAwareDecoder', embed_dims=16)), {'L_pixel', 'L_feature'}),
        (dict(predictor=dict(type='TargetAwareDecoder')), {'L_pixel', 'L_feature'}),
        (
            dict(predictor=dict(type='TargetAwareDecoder', depth=4, context_layer=1)),
            {'L_pixel', 'L_feature'},
        ),
        (dict(pixel_head=dict(type='PixelHead', norm='patch')), {'L_pixel', 'L_feature'}),
        (dict(teacher=dict(type='MomentumTeacher', fraction=0.5)), {'L_pixel', 'L_feature'}),
    ],
)
def test_every_ablation_trains_all_of_its_parameters(changes, parts, images):
    model = build_tiny(**changes)
    log = model.loss(images, random_samples(2))
    assert {name for name in log if name.startswith('L_')} == parts
    log['loss'].backward()
    for name, p in model.named_parameters():
        if p.requires_grad:
            assert p.grad is not None and p.grad.abs().max() > 0, name


def test_a_share_of_the_teacher_takes_the_loss_on_that_share(images):
    model = build_tiny(teacher=dict(type='MomentumTeacher', fraction=0.25))
    samples = random_samples(2)
    log = model.loss(images, samples)
    visible, masked = ids_of(samples)
    latent, outputs = model.encode(images, visible)
    pred = model.predictor(latent, outputs[model.predictor.context_layer], masked)[:, :4]
    target = model.feature_head.target(
        model.teacher.encoder.encode(images, masked[:, :4])[0][:, 1:]
    )
    expected = model.feature_head.loss(pred, target, model.token_weights(masked)[:, :4])
    torch.testing.assert_close(log['L_feature'], expected)


@pytest.mark.parametrize('fraction, teacher_images', [(1.0, [2]), (0.25, [4])])
def test_several_masks_share_the_pass_of_a_teacher_that_sees_all(fraction, teacher_images, images):
    """The loss is the mean over the masks; each alone would need a teacher's pass of its own."""
    model = build_tiny(teacher=dict(type='MomentumTeacher', fraction=fraction))
    first, second = random_samples(2, seed=0), random_samples(2, seed=1)
    logs = [model.loss(images, samples) for samples in (first, second)]
    both = [
        DataSample(**{key: np.stack([one.get(key), other.get(key)]) for key in one.all_keys()})
        for one, other in zip(first, second, strict=True)
    ]
    seen = []
    model.teacher.encoder.layers[0].register_forward_pre_hook(
        lambda _, inputs: seen.append(len(inputs[0]))
    )
    log = model.loss(images, both)
    assert seen == teacher_images
    for name in ('L_pixel', 'L_feature', 'loss'):
        torch.testing.assert_close(log[name], (logs[0][name] + logs[1][name]) / 2)


def test_context_comes_from_the_named_block(images):
    samples, handed = random_samples(2), []
    for layer, resolved in ((0, 0), (1, 1), (-1, 2)):
        decoder = dict(type='TargetAwareDecoder', embed_dims=16, context_layer=layer)
        model = build_tiny(regressor=decoder)
        visible, masked = ids_of(samples)
        encoded = model.encode(images, visible)
        model.regressor.register_forward_pre_hook(lambda _, args: handed.append(args[1]))
        model.decode(model.regressor, encoded, masked)
        expected = model.backbone.encode(images, visible, taps=(resolved,))[1][resolved]
        assert torch.equal(handed.pop(), expected)


def test_a_loss_that_is_not_finite_stops_and_names_the_part(images):
    model = build_tiny()
    images[0, 0, 0, 0] = float('nan')
    with pytest.raises(FloatingPointError, match='L_pixel=nan'):
        model.parse_losses(model.loss(images, random_samples(2)))
    model = build_tiny(**WITHOUT_PIXELS)
    with torch.no_grad():
        model.predictor.head.weight.fill_(float('inf'))
    with pytest.raises(FloatingPointError, match='L_feature=nan'):
        model.parse_losses(model.loss(torch.randn(2, 3, 32, 32), random_samples(2)))


def test_images_and_masks_of_another_size_are_refused(images):
    model = build_tiny()
    with pytest.raises(ValueError, match=r'found images of \(32, 24\) and masks over 16'):
        model.loss(images[..., :24], random_samples(2))
    with pytest.raises(ValueError, match=r'over 4 × 4 patches, found .* masks over 12 patches'):
        model.loss(images, random_samples(2, num_patches=12, num_masked=8))


@pytest.mark.parametrize(
    'changes, message',
    [
        ({**WITHOUT_PIXELS, **WITHOUT_FEATURES}, 'found neither'),
        (dict(teacher=None), 'found no teacher'),
        (dict(pixel_head=None), 'found no pixel_head'),
        (
            dict(regressor=dict(type='TargetAwareDecoder', context_layer=3)),
            'blocks 0 to 2, found context_layer=3',
        ),
        (
            dict(backbone=dict(type='BootMAEViT', arch='small', img_size=33, patch_size=8)),
            r'in an image of \(33, 33\)',
        ),
    ],
)
def test_contradictory_configs_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        build_tiny(**changes)


def test_an_encoder_of_one_channel_is_refused():
    config = tiny_config()
    config['backbone'] = {**config['backbone'], 'in_channels': 1}
    with pytest.raises(ValueError, match=r'backbone.in_channels=3, .* found 1; leave it at 3'):
        MODELS.build(config)
