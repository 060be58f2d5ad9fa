"""What there is to train on."""

import os
from typing import NamedTuple

from .recipe import power_of_two

MOST_ON_CPU = 8  # processes: beyond that they wait for each other in so small steps


class Machine(NamedTuple):
    """This machine.

    Attributes:
        gpus: Number of GPUs that PyTorch sees.
        name: Of the GPU, if any.
        memory: Bytes, of a GPU where there is one.
        cores: Processor cores that this process may use.
        dtype: Precision of training: bfloat16 where the GPU has it, else float16; float32 on CPUs.
    """

    gpus: int
    name: str
    memory: int
    cores: int
    dtype: str

    def processes(self, total_batch: int) -> int:
        """How many to train in, a power of two as the total batch is: one for each GPU, without
        one for each core."""
        return min(power_of_two(self.gpus or min(self.cores, MOST_ON_CPU)), total_batch)

    @property
    def device(self) -> str:
        """What each of them trains on."""
        return self.name if self.gpus else 'processor core'

    def workers(self, needed: int) -> int:
        """Processes per GPU that load pictures: as many as keep it busy, if there are cores; on a
        CPU none, which would only compete with training."""
        if not self.gpus:
            return 0
        return max(1, min(needed, self.cores // self.gpus - 1))


def this_machine() -> Machine:
    """Look at the machine."""
    import torch  # late: it takes seconds, and a wrong option none

    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    if not torch.cuda.is_available():
        memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
        return Machine(0, '', memory, cores, 'float32')
    return Machine(
        torch.cuda.device_count(),
        torch.cuda.get_device_name(),
        torch.cuda.get_device_properties(0).total_memory,
        cores,
        'bfloat16' if torch.cuda.is_bf16_supported(including_emulation=False) else 'float16',
    )
