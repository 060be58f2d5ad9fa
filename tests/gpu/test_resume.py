"""Going on after a stop, on the device with deterministic algorithms: the same to the bit."""

import pytest
import torch

from bootmae_mm.checkpoint.reading import read_checkpoint
from bootmae_mm.engine.build import build_runner
from bootmae_mm.engine.resume import TrainingStopped
from bootmae_mm.training import resume_if_possible
from tests.helpers.resuming import Interrupt, assert_identical, losses
from tests.helpers.runs import run_config

pytestmark = pytest.mark.gpu

ALL_TYPES = torch.cuda.is_available()


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
    build_runner(config(folder, tmp_path / 'whole', dtype)).train()
    runner = build_runner(config(folder, tmp_path / 'stopped', dtype))
    runner.register_hook(Interrupt(4, 'SIGTERM'))  # in the first step of the second epoch
    with pytest.raises(TrainingStopped):
        runner.train()
    cfg = config(folder, tmp_path / 'stopped', dtype)
    resume_if_possible(cfg)
    runner = build_runner(cfg)
    runner.train()
    assert torch.are_deterministic_algorithms_enabled()
    assert next(runner.model.parameters()).device.type == device.type
    expected, found = (
        read_checkpoint(tmp_path / name / 'epoch_2.pth') for name in ('whole', 'stopped')
    )
    assert losses(found) == losses(expected) and len(losses(expected)) == 8
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_identical(expected[part], found[part], part)
    states = expected['meta']['random_states']
    assert_identical(states, found['meta']['random_states'], 'random states')
    assert bool(states[0]['cuda']) == (device.type == 'cuda')
