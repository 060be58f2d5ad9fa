"""From a config to a runner: what mmengine leaves to its training scripts."""

import os

import torch
from mmengine.config import Config
from mmengine.runner import Runner


def build_runner(cfg: Config) -> Runner:
    """A runner for ``cfg``, also for several processes on CPUs.

    mmengine's own start-up of distributed training calls CUDA even for gloo, and hands
    DistributedDataParallel a device index; on a machine without GPUs both are done here.
    """
    if cfg.get('launcher', 'none') != 'none' and not torch.cuda.is_available():
        os.environ.setdefault('LOCAL_RANK', '0')
        cfg.env_cfg.dist_cfg.backend = 'gloo'
        torch.distributed.init_process_group('gloo')
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False
        )
    return Runner.from_cfg(cfg)


def train(cfg: Config) -> None:
    """Train as ``cfg`` says, and leave the process group properly."""
    build_runner(cfg).train()
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
