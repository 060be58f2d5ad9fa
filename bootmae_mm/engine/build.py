"""From a config to a runner: what mmengine leaves to its training scripts."""

import gc
import os

import torch
from mmengine.config import Config

from .distributed import join_over_gloo
from .resume import ResumableRunner


def build_runner(cfg: Config) -> ResumableRunner:
    """A runner for ``cfg``, also without GPUs and there for several processes.

    mmengine's own start-up of distributed training calls CUDA even for gloo, and hands
    DistributedDataParallel a device index; on a machine without GPUs both are done here, and
    SyncBN, which has no kernel for CPUs, becomes BN.
    """
    if torch.cuda.is_available():
        return ResumableRunner.from_cfg(cfg)
    if cfg.get('launcher', 'none') != 'none':
        os.environ.setdefault('LOCAL_RANK', '0')
        cfg.env_cfg.dist_cfg.backend = 'gloo'
        join_over_gloo(cfg.env_cfg.dist_cfg)
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False
        )
    replaced = replace_sync_batch_norm(cfg.model)
    runner = ResumableRunner.from_cfg(cfg)
    if replaced:
        runner.logger.info(
            'SyncBN needs a GPU, so BN is used: every process normalises by its own batch.'
        )
    return runner


def replace_sync_batch_norm(part: object) -> bool:
    """Turn SyncBN into BN everywhere in a (part of a) model's config, in place.

    Returns:
        Whether there was any.
    """
    if isinstance(part, list | tuple):
        return any([replace_sync_batch_norm(child) for child in part])
    if not isinstance(part, dict):
        return False
    found = part.get('type') == 'SyncBN'
    if found:
        part['type'] = 'BN'
    return any([found, *map(replace_sync_batch_norm, part.values())])


def is_first_process() -> bool:
    """Whether the launcher gave this process rank 0, before anything is set up for several."""
    return int(os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0'))) == 0


def leave_process_group() -> None:
    """End distributed communication, if there was any, and its threads.

    The runner must be out of use. It and the model's wrapper are part of reference cycles and hold
    the process group; gloo's threads would live on into the interpreter's shutdown, where freeing
    what they hold aborts the process (pytorch/pytorch#179291).
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
        gc.collect()
