"""Distributed training with one process, over NCCL on GPUs, is training without."""

import pytest
import torch
from torch import distributed as dist
from torch import nn

from bootmae_mm.checkpoint.reading import read_checkpoint
from bootmae_mm.engine.build import build_runner, leave_process_group
from bootmae_mm.engine.resume.stopping import share
from bootmae_mm.transfer.pyramid import FourScalePyramid
from tests.helpers.closeness import farthest
from tests.helpers.runs import run_config

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """What a launcher of one process sets; NCCL is to stay on this machine."""
    setting = dict(RANK=0, LOCAL_RANK=0, WORLD_SIZE=1, MASTER_ADDR='127.0.0.1', MASTER_PORT=0)
    for name, value in dict(setting, NCCL_SOCKET_IFNAME='lo').items():
        monkeypatch.setenv(name, str(value))
    yield
    leave_process_group()


def test_a_launched_run_learns_the_same(folder, tmp_path, device):
    """Through everything that tools/train.py builds."""
    states, wrappers, backends = [], [], []
    for launcher in ('none', 'pytorch'):
        cfg = run_config(folder, tmp_path / launcher, total=8, batch=4, epochs=1)
        cfg.launcher = launcher
        cfg.optim_wrapper.optimizer.eps = 1e-4  # see test_training.py
        runner = build_runner(cfg)
        runner.train()
        wrappers.append(type(runner.model).__name__)
        backends += [dist.get_backend()] if dist.is_initialized() else []
        states.append(read_checkpoint(tmp_path / launcher / 'epoch_1.pth')['state_dict'])
    del runner
    assert wrappers == ['BootMAE', 'MMDistributedDataParallel']
    assert backends == ['nccl' if device.type == 'cuda' else 'gloo']
    distance = farthest(states[1], states[0])
    assert distance.difference < 1e-4, distance


def test_a_number_is_shared_without_waiting_for_the_device(device):
    dist.init_process_group('nccl' if device.type == 'cuda' else 'gloo')
    on_gpu = device.type == 'cuda'
    if on_gpu:
        torch.cuda.set_sync_debug_mode('error')
    numbers = [share(number) for number in (3, 0, 15)]
    if on_gpu:
        torch.cuda.set_sync_debug_mode('default')
    assert [read() for read in numbers] == [3, 0, 15]


def test_the_adapter_with_synchronised_batch_norm_is_that_with_a_plain_one(device):
    dist.init_process_group('nccl' if device.type == 'cuda' else 'gloo')
    ours, plain = FourScalePyramid(4), FourScalePyramid(4, norm_cfg=dict(type='BN'))
    plain.load_state_dict(ours.state_dict())
    if device.type == 'cuda':
        assert isinstance(ours.upsample_4x[1], nn.SyncBatchNorm)
    maps, results = torch.randn(4, 2, 4, 6, 6), []
    for pyramid in (ours, plain):
        pyramid.to(device)
        levels = pyramid(list(maps.to(device)))
        sum(level.square().sum() for level in levels).backward()
        named = {name: p.grad for name, p in pyramid.named_parameters()}
        del named['upsample_4x.0.bias']  # which the norm takes out: a rounding error
        named.update(pyramid.named_buffers())
        results.append({**named, **{f'level {n}': level for n, level in enumerate(levels)}})
    assert 'upsample_4x.1.running_var' in results[0]
    distance = farthest(results[0], results[1])
    assert distance.difference < 1e-5, distance
