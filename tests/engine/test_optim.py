"""Mixed precision on any device, and who gets weight decay."""

import pytest
import torch
from torch import nn

from bootmae_mm.engine.optim import AutocastOptimWrapper, WeightDecayConstructor
from tests.helpers.models import build_tiny, random_samples


def wrapper(**kwargs) -> tuple:
    layer = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    return layer, AutocastOptimWrapper(optimizer=optimizer, **kwargs)


@pytest.mark.parametrize(
    'dtype, computed', [('float32', torch.float32), ('bfloat16', torch.bfloat16)]
)
def test_the_forward_pass_runs_in_the_chosen_precision(dtype, computed):
    layer, optim_wrapper = wrapper(dtype=dtype)
    with optim_wrapper.optim_context(layer):
        assert layer(torch.ones(2, 4)).dtype == computed
    assert not optim_wrapper.scaler.is_enabled()


def test_float16_scales_the_loss_and_skips_steps_that_overflow():
    layer, optim_wrapper = wrapper(dtype='float16')
    before, scale = layer.weight.detach().clone(), optim_wrapper.scaler.get_scale()
    optim_wrapper.update_params((layer.weight * float('inf')).sum())
    assert torch.equal(layer.weight, before)
    assert optim_wrapper.scaler.get_scale() == scale / 2
    optim_wrapper.update_params(layer.weight.sum())
    torch.testing.assert_close(layer.weight, before - 0.1)


def test_clipping_sees_unscaled_gradients():
    layer, optim_wrapper = wrapper(dtype='float16', clip_grad=dict(max_norm=1.0))
    before = layer.weight.detach().clone()
    optim_wrapper.update_params((layer.weight * torch.tensor([3.0, 0, 0, 4.0])).sum())
    torch.testing.assert_close(before - layer.weight, torch.tensor([[0.06, 0, 0, 0.08]]))


def test_the_scaler_is_restored():
    _, optim_wrapper = wrapper(dtype='float16')
    optim_wrapper.scaler.scale(torch.ones(1))
    optim_wrapper.scaler.update(8.0)
    _, restored = wrapper(dtype='float16')
    restored.load_state_dict(optim_wrapper.state_dict())
    assert restored.scaler.get_scale() == 8.0
    _, other = wrapper(dtype='bfloat16')
    other.load_state_dict(optim_wrapper.state_dict())


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="found 'fp8'"):
        wrapper(dtype='fp8')


def test_weight_decay_spares_one_dimensional_parameters_and_tokens():
    model = build_tiny()
    optim_wrapper = WeightDecayConstructor(
        dict(optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05))
    )(model)
    decay = {
        id(p): group['weight_decay']
        for group in optim_wrapper.optimizer.param_groups
        for p in group['params']
    }
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert decay.keys() == {id(p) for p in trained.values()}
    for name, p in trained.items():
        spared = p.ndim == 1 or name.endswith('cls_token')
        assert decay[id(p)] == (0.0 if spared else 0.05), name
    assert decay[id(model.regressor.mask_token)] == 0.05
    assert not any(name.startswith('teacher') or 'pos_embed' in name for name in trained)


def test_bfloat16_trains_close_to_float32(images):
    losses = {}
    for dtype in ('float32', 'bfloat16'):
        model = build_tiny()
        optim_wrapper = WeightDecayConstructor(
            dict(
                type='AutocastOptimWrapper',
                dtype=dtype,
                optimizer=dict(type='AdamW', lr=1e-3),
            )
        )(model)
        for _ in range(5):
            with optim_wrapper.optim_context(model):
                log = model.loss(images, random_samples(2))
            optim_wrapper.update_params(log['loss'])
        losses[dtype] = log['loss'].item()
    assert losses['bfloat16'] == pytest.approx(losses['float32'], rel=0.02)
    assert losses['bfloat16'] != losses['float32']
