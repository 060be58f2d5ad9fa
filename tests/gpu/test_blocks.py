"""Blocks that are compiled, or computed twice: the same numbers as plain ones."""

from functools import partial
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from mmengine.hooks import Hook
from torch import Tensor

from bootmae_mm.engine.memory import BlockCheckpointHook
from bootmae_mm.pretrain import compiling
from bootmae_mm.pretrain.compiling import CompileBlocksHook, all_blocks, compile_blocks
from tests.helpers.closeness import farthest
from tests.helpers.models import build_tiny, random_samples

pytestmark = pytest.mark.gpu


def model_with(hook: Hook | None, device: torch.device, **changes) -> torch.nn.Module:
    model = build_tiny(**changes).to(device)
    if hook is not None:
        hook.before_train(SimpleNamespace(model=model, logger=Mock()))
    return model


def step(model: torch.nn.Module, device: torch.device) -> tuple[dict, dict]:
    """Losses and gradients of a step, after which student and teacher have moved."""
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1)).to(device)
    torch.manual_seed(0)  # drop path
    losses = model.loss(images, random_samples(4))
    losses['loss'].backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    with torch.no_grad():
        for p in model.parameters():
            if p.grad is not None:
                p.sub_(p.grad, alpha=0.01)
                p.grad = None
    model.teacher.follow(model.backbone)()
    return losses, gradients


def assert_close(found: tuple[dict, dict], expected: tuple[dict, dict], tolerance: float) -> None:
    for ours, true in zip(found, expected, strict=True):
        distance = farthest(ours, true)
        assert distance.difference <= tolerance, distance


def test_compiled_blocks_compute_the_same_and_are_compiled_once(device, monkeypatch):
    """On a CPU without Inductor, which takes long."""
    if device.type == 'cpu':
        monkeypatch.setattr(compiling, 'compile_blocks', partial(compile_blocks, backend='eager'))
    torch._dynamo.reset()
    counters = torch._dynamo.utils.counters
    counters.clear()
    plain, compiled = (model_with(hook, device) for hook in (None, CompileBlocksHook()))
    assert_close(step(compiled, device), step(plain, device), 1e-4)
    graphs = counters['stats']['unique_graphs']
    assert 4 <= graphs <= len(all_blocks(compiled))
    for _ in range(2):
        assert_close(step(compiled, device), step(plain, device), 1e-4)
    assert counters['stats']['unique_graphs'] == graphs, 'a later step compiled again'
    assert not counters['graph_break'], dict(counters['graph_break'])
    torch._dynamo.reset()


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_checkpointed_blocks_compute_the_same(dtype, device):
    """With drop path, which must draw the same samples the second time."""
    torch.use_deterministic_algorithms(True)
    results, calls = [], []
    for hook in (None, BlockCheckpointHook()):
        model = model_with(hook, device, backbone=with_drop_path())
        model.predictor.blocks[0].norm1.register_forward_hook(lambda *_: calls.append(1))
        with torch.autocast(device.type, getattr(torch, dtype), enabled=dtype != 'float32'):
            results.append(step(model, device))
    assert len(calls) == 3
    assert_close(results[1], results[0], 1e-5 if dtype == 'float32' else 0.02)


def with_drop_path() -> dict[str, Tensor]:
    arch = dict(embed_dims=24, num_layers=3, num_heads=3, feedforward_channels=48)
    return dict(type='BootMAEViT', arch=arch, img_size=32, patch_size=8, drop_path_rate=0.5)
