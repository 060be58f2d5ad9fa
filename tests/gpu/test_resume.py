"""Going on after a stop, on the device with deterministic algorithms: the same to the bit."""

from copy import deepcopy
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from mmengine.config import Config

from bootmae_mm.checkpoint.reading import read_checkpoint
from bootmae_mm.engine.build import build_runner
from bootmae_mm.engine.resume import TrainingStopped
from bootmae_mm.pretrain import compiling
from bootmae_mm.training import resume_if_possible
from tests.helpers.resuming import Interrupt, assert_identical, losses
from tests.helpers.runs import run_config

pytestmark = pytest.mark.gpu

ALL_TYPES = torch.cuda.is_available()
COMPILED = dict(custom_hooks=dict(compile_blocks=dict(type='CompileBlocksHook')))


def config(folder, work_dir, dtype):
    """Two epochs of four steps with drop path, whose random numbers the device draws."""
    cfg = run_config(folder, work_dir, total=4, batch=4, epochs=2)
    cfg.model.backbone.drop_path_rate = 0.5
    cfg.optim_wrapper.dtype = dtype
    cfg.train_dataloader.pin_memory = True
    cfg.randomness.deterministic = True
    return cfg


@pytest.mark.parametrize('dtype', ['float32', *['bfloat16', 'float16'] * ALL_TYPES])
def test_a_stopped_run_ends_the_same_to_the_bit(dtype, folder, tmp_path, device):
    whole, stopped = (config(folder, tmp_path / name, dtype) for name in ('whole', 'stopped'))
    assert_goes_on_to_the_bit(whole, stopped, device)


def test_and_so_does_one_with_compiled_blocks(folder, tmp_path, device, monkeypatch):
    """On a CPU without Inductor, which takes long."""
    backend = 'eager' if device.type == 'cpu' else 'inductor'
    compile_blocks = Mock(wraps=partial(compiling.compile_blocks, backend=backend))
    monkeypatch.setattr(compiling, 'compile_blocks', compile_blocks)
    whole, stopped = (config(folder, tmp_path / name, 'bfloat16') for name in ('whole', 'stopped'))
    for cfg in (whole, stopped):
        cfg.merge_from_dict(COMPILED)
    assert_goes_on_to_the_bit(whole, stopped, device)
    assert compile_blocks.call_count == 3
    torch._dynamo.reset()


def assert_goes_on_to_the_bit(whole: Config, stopped: Config, device: torch.device) -> None:
    """Of two runs of the same settings the second, stopped and gone on with, ends as the first."""
    build_runner(deepcopy(whole)).train()
    torch._dynamo.reset()  # as in the new process that a run goes on in
    runner = build_runner(deepcopy(stopped))
    runner.register_hook(Interrupt(4, 'SIGTERM'))  # in the first step of the second epoch
    with pytest.raises(TrainingStopped):
        runner.train()
    torch._dynamo.reset()
    resume_if_possible(stopped)
    runner = build_runner(stopped)
    runner.train()
    assert torch.are_deterministic_algorithms_enabled()
    assert next(runner.model.parameters()).device.type == device.type
    expected, found = (
        read_checkpoint(Path(cfg.work_dir) / 'epoch_2.pth') for cfg in (whole, stopped)
    )
    assert losses(found) == losses(expected) and len(losses(expected)) == 8
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_identical(expected[part], found[part], part)
    states = expected['meta']['random_states']
    assert_identical(states, found['meta']['random_states'], 'random states')
    assert bool(states[0]['cuda']) == (device.type == 'cuda')
