"""What the benchmarks of pretraining compare and count, at tiny sizes."""

import sys

import pytest
import torch
from mmpretrain.registry import MODELS
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from bootmae_mm.checkpoint import ENCODER_NAMES, to_release
from bootmae_mm.engine.optim import decays
from tests.helpers.models import random_samples, tiny_config
from tests.helpers.paths import ROOT

sys.path.insert(0, str(ROOT / 'benchmarks'))

import contestants  # noqa: E402
import products  # noqa: E402
import reference  # noqa: E402

KINDS = contestants.KINDS


@pytest.fixture(scope='module')
def built() -> dict[str, contestants.Contestant]:
    """The three contestants in float32."""
    return {kind: contestants.build(kind, 'tiny', 2, 'float32') for kind in KINDS}


# ----------------------------------------------------------------------------------- the reference


def random_pair() -> tuple[nn.Module, reference.Reference]:
    """Our model with large random weights everywhere, and the reference with the same."""
    torch.manual_seed(0)
    ours = MODELS.build(tiny_config())
    for name, p in ours.named_parameters():
        if not name.endswith('pos_embed'):
            nn.init.normal_(p, std=0.2)
    own = reference.Reference(ours)
    own.teacher.load_state_dict(to_release(ours.teacher.encoder.state_dict(), ENCODER_NAMES))
    return ours, own


def test_the_reference_has_our_loss_and_our_gradients(images):
    ours, own = random_pair()
    samples = random_samples(2)
    log = ours.loss(images, samples)
    parts = own(images, *contestants.ids_of(samples, images.device))
    torch.testing.assert_close(parts, (log['L_pixel'], log['L_feature']), rtol=1e-5, atol=0)
    log['loss'].backward()
    sum(parts).backward()
    trained = {name: p.grad for name, p in ours.named_parameters() if p.grad is not None}
    expected = to_release(trained)
    student = {name: p.grad for name, p in own.student.named_parameters() if p.grad is not None}
    for part, suffix in ((own.regressor, ''), (own.predictor, '_1')):
        student |= {reference.suffixed(n, suffix): p.grad for n, p in part.named_parameters()}
    assert student.keys() == expected.keys()
    for name, gradient in student.items():
        scale = expected[name].abs().max()
        torch.testing.assert_close(gradient / scale, expected[name] / scale, rtol=0, atol=1e-4)


def test_the_reference_refuses_weights_it_has_no_place_for():
    ours, own = random_pair()
    with pytest.raises(ValueError, match='unknown name'):
        own.load({**ours.state_dict(), 'backbone.extra': torch.zeros(1)})


def test_a_step_of_the_reference_moves_student_and_teacher(images):
    _, own = random_pair()
    before = {name: p.clone() for name, p in own.named_parameters()}
    optimizer = reference.build_optimizer(own, lr=0.01)
    ids = contestants.ids_of(random_samples(2), images.device)
    log = reference.take_step(own, optimizer, images, ids, torch.float32)
    assert log['loss'] == pytest.approx(log['L_pixel'] + log['L_feature'])
    after = dict(own.named_parameters())
    for name, p in after.items():
        if name.startswith('teacher.'):
            student = after[name.replace('teacher.', 'student.')]
            expected = 0.999 * before[name] + 0.001 * student
            torch.testing.assert_close(p, expected, rtol=1e-6, atol=1e-7)
        elif p.requires_grad:
            # The first step of Adam is lr times the gradient's sign, after weight decay.
            decay = 0.01 * 0.05 if decays(name, p) else 0.0
            size = (p - (1 - decay) * before[name]).abs()
            assert size.quantile(0.9).item() == pytest.approx(0.01, rel=1e-3), name
    group = optimizer.param_groups[0]
    assert (group['foreach'], group['fused']) == (False, False)


# --------------------------------------------------------------------------------- the contestants


def test_all_start_from_the_same_uint8_images_with_masks_on_the_host(built):
    for contestant in built.values():
        inputs = contestant.data['inputs']
        assert (inputs.dtype, inputs.device.type, tuple(inputs.shape)) == (
            torch.uint8, 'cpu', (2, 3, 32, 32),
        )  # fmt: skip
        assert torch.equal(inputs, built['ours'].data['inputs'])
        for sample in contestant.data['data_samples']:
            visible, masked = sample.get('ids_visible'), sample.get('ids_masked')
            assert sorted([*visible.tolist(), *masked.tolist()]) == list(range(16))
            assert len(masked) == 12


@pytest.mark.parametrize('kind', KINDS)
def test_a_step_changes_every_trained_weight_and_the_teacher(kind, monkeypatch):
    monkeypatch.setattr(contestants, 'LEARNING_RATE', 0.01)
    contestant = contestants.build(kind, 'tiny', 2, 'bfloat16')
    before = {name: p.clone() for name, p in contestant.model.named_parameters()}
    contestant()
    teachers = 0
    for name, p in contestant.model.named_parameters():
        fixed = 'pos_embed' in name or name.startswith('teacher.norm.') or 'encoder.ln1' in name
        if p.requires_grad or (name.startswith('teacher.') and not fixed):
            assert not torch.equal(p, before[name]), name
            teachers += name.startswith('teacher.')
    assert (teachers > 0) == (kind != 'mae')


def test_mae_is_mmpretrains_own_with_the_optimiser_of_ours():
    cfg = contestants.load_mae('base')
    assert (cfg.model.neck.decoder_depth, cfg.model.neck.decoder_embed_dim) == (8, 512)
    assert contestants.load_mae('large').model.neck.embed_dim == 1024
    mae, ours = (
        contestants.build(kind, 'tiny', 2, 'float32').train.keywords['optim_wrapper']
        for kind in ('mae', 'ours')
    )
    assert mae.optimizer.defaults == ours.optimizer.defaults
    assert ours.optimizer.defaults['fused'] and len(mae.optimizer.param_groups) == 2


def test_unknown_contestants_are_refused(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match='kind must be one of reference, ours, mae'):
        contestants.build('theirs', 'tiny', 2, 'float32')
    with pytest.raises(ValueError, match="arch must be one of .* found 'huge'"):
        contestants.build('ours', 'huge', 2, 'float32')
    monkeypatch.setattr(contestants, 'MAE_CONFIGS', tmp_path)
    with pytest.raises(ValueError, match="Expected mmpretrain's configs with the package"):
        contestants.load_mae('base')


# -------------------------------------------------------------------------------------- operations


def counted(step) -> int:
    """The operations that PyTorch counts in a step, attention as separate products."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


@pytest.mark.parametrize('kind', KINDS)
def test_the_closed_form_counts_what_a_step_computes(built, kind):
    assert counted(built[kind]) == products.operations(built[kind].products(2))
    assert counted(built[kind].of(1)) == products.operations(built[kind].products(1))


@pytest.mark.parametrize('fraction, tokens', [(0.25, 4), (0.5, 8), (0.75, 12)])
def test_a_smaller_teacher_is_counted(built, fraction, tokens):
    """What is needed, but for the class token's row in the teacher's last block."""
    ours = built['ours']
    needed = products.operations(ours.products(2, fraction=fraction))
    assert needed < counted(ours.with_fraction(fraction)) < 1.03 * needed
    ours.model.teacher.fraction = 1.0
    embedding = next(p for p in ours.products(2, fraction=fraction) if p.part == 'teacher')
    assert embedding.rows == 2 * tokens


def test_the_papers_model_has_the_known_number_of_operations():
    """ViT-B: 12.9 G multiply-adds per image in the encoder, 29 in MAE, forward and backward."""
    base = products.Sizes(768, 3072, 12, 12, 768, 196, 147, 512, 2)
    parts = products.by_part(products.ours(base, 1))
    assert parts['encoder'] / 2e9 == pytest.approx(12.9, rel=0.01)
    assert parts['teacher'] / 2e9 == pytest.approx(17.1, rel=0.02)
    mae = products.operations(products.mae(base, 1, width=512, depth=8, num_heads=16))
    assert mae / 2e9 == pytest.approx(29, rel=0.02)


def test_the_ceiling_weighs_every_product_by_how_often_it_occurs(monkeypatch):
    monkeypatch.setattr(products, 'forms', lambda m, k, n, *_: [m * 1.0, m * 2.0, m * 4.0])
    layers = [
        products.Product('a', 10, 3, 5, gradients=2, count=4),
        products.Product('b', 20, 7, 2, gradients=0),
        products.Product('b', 99, 9, 9, gradients=2, matrices=8),  # of attention: not in it
    ]
    operations = 2 * 10 * 3 * 5 * 3 * 4 + 2 * 20 * 7 * 2
    seconds = 4 * (10 + 20 + 40) + 20
    assert products.ceiling(layers, torch.float32, 'cpu') == pytest.approx(operations / seconds)


def test_all_three_products_of_a_layer_are_timed(monkeypatch):
    asked = []

    def record(step, calls) -> float:
        asked.append((tuple(step().shape), calls))
        return 1.0

    monkeypatch.setattr(products, 'median_of', record)
    products.forms.__wrapped__(5, 3, 7, torch.bfloat16, 'cpu')
    assert asked == [((5, 7), 1), ((7, 3), 1), ((5, 3), 1)]
