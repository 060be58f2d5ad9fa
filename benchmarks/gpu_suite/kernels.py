"""What the device does in a step: its longest kernels, the gaps between kernels, and which of
PyTorch's operations, on what shapes, it spends its time on.

Kernels and gaps are read from PyTorch's trace, where every kernel has a start and a duration.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from common import synchronise
from pretrain_step import Tables, percent
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

MOST_KERNELS = MOST_OPERATIONS = 25
MOST_GAPS = 5
STEPS = 3
NAME_LENGTH = 110
IN_ALL_NAMES = ('void ', 'at::native::', '(anonymous namespace)::')
# The kinds of kernels by a part of their names, the first that fits.
KINDS = {
    'fused by the compiler': ('triton_',),
    'attention': ('flash', 'fmha', 'attention', 'softmax'),
    'matrix products': ('gemm', 'nvjet', 'cutlass', 'xmma'),
    'optimiser and teacher': ('multi_tensor', 'foreach', 'lerp', 'adam'),
    'norms': ('norm', 'gamma'),
    'copies': ('memcpy', 'memset', 'copy', 'cat', 'index', 'gather', 'scatter'),
}


class Kernel(NamedTuple):
    """Something that the device did; microseconds."""

    name: str
    start: float
    duration: float

    @property
    def end(self) -> float:
        """When it was done."""
        return self.start + self.duration

    @property
    def kind(self) -> str:
        """What it is for, judged by its name."""
        name = self.name.lower()
        fitting = (kind for kind, parts in KINDS.items() if any(part in name for part in parts))
        return next(fitting, 'elementwise and others')


def trace(step: Callable[[], object], steps: int = STEPS) -> list[Kernel]:
    """The kernels of ``steps`` steps; without a GPU, PyTorch's operations on the CPU."""
    on_gpu = torch.cuda.is_available()
    activity = ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU
    profiled(step, 1, activities=[activity])  # the first start of the profiler takes long
    profiler = profiled(step, steps, activities=[activity])
    with TemporaryDirectory() as folder:
        path = Path(folder) / 'trace.json'
        profiler.export_chrome_trace(str(path))
        return read_trace(json.loads(path.read_text()), on_gpu)


def profiled(step: Callable[[], object], steps: int, **options) -> profile:
    """A profile of ``steps`` steps."""
    with profile(**options) as profiler:
        for _ in range(steps):
            step()
        synchronise()
    return profiler


def operations(step: Callable[[], object]) -> list[dict]:
    """Of one step, PyTorch's operations and the shapes that they were given, those first whose
    kernels took longest; without a GPU by their time on the CPU."""
    on_gpu = torch.cuda.is_available()
    activities = [ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * on_gpu]
    profiler = profiled(step, 1, activities=activities, record_shapes=True)
    spans = [
        (event.self_device_time_total if on_gpu else event.self_cpu_time_total, event)
        for event in profiler.key_averages(group_by_input_shape=True)
        if event.device_type == DeviceType.CPU
    ]
    busy = sum(span for span, _ in spans)
    spans.sort(key=lambda pair: -pair[0])
    return [
        {
            'operation': short(event.key),
            'shapes': short(' '.join(str(shape) for shape in event.input_shapes if shape)),
            'calls': event.count,
            'ms': span / 1e3,
            'share': percent(span / busy),
        }
        for span, event in spans[:MOST_OPERATIONS]
    ]


def read_trace(content: dict, on_gpu: bool = True) -> list[Kernel]:
    """The kernels of a trace, copies among them, by their start."""
    categories = ('kernel', 'gpu_memcpy', 'gpu_memset') if on_gpu else ('cpu_op',)
    events = (event for event in content['traceEvents'] if event.get('cat') in categories)
    kernels = (Kernel(event['name'], event['ts'], event['dur']) for event in events)
    return sorted(kernels, key=lambda kernel: kernel.start)


def gaps(kernels: Sequence[Kernel]) -> list[tuple[float, str, str]]:
    """The times when nothing ran, microseconds, each with the kernels before and after it."""
    found = []
    last = kernels[0]
    for kernel in kernels[1:]:
        if kernel.start > last.end:
            found.append((kernel.start - last.end, last.name, kernel.name))
        if kernel.end > last.end:
            last = kernel
    return found


def summary(name: str, kernels: Sequence[Kernel], steps: int) -> dict:
    """How much of a step's time the device was busy."""
    total = max(kernel.end for kernel in kernels) - kernels[0].start
    idle = [gap for gap, *_ in gaps(kernels)]
    return {
        'step': name,
        'ms': total / steps / 1e3,
        'kernels': len(kernels) / steps,
        'gaps, ms': sum(idle) / steps / 1e3,
        'gaps, share': percent(sum(idle) / total),
        'gaps above 100 µs, ms': sum(gap for gap in idle if gap > 100) / steps / 1e3,
        'such gaps': sum(gap > 100 for gap in idle) / steps,
    }


def longest(kernels: Sequence[Kernel], by: str, steps: int) -> list[dict]:
    """The time of kernels of the same ``by``, 'name' or 'kind', the longest first."""
    spans: dict[str, list[float]] = {}
    for kernel in kernels:
        spans.setdefault(getattr(kernel, by), []).append(kernel.duration)
    busy = sum(map(sum, spans.values()))
    ordered = sorted(spans.items(), key=lambda item: -sum(item[1]))
    return [
        {
            by: short(name),
            'calls in a step': len(durations) / steps,
            'ms in a step': sum(durations) / steps / 1e3,
            'share': percent(sum(durations) / busy),
        }
        for name, durations in ordered[:MOST_KERNELS]
    ]


def short(name: str) -> str:
    """A kernel's name without what all have, for a cell of a table."""
    for part in IN_ALL_NAMES:
        name = name.replace(part, '')
    name = name.replace('|', '/')
    return name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + '…'


def tables(traces: dict[str, list[Kernel]], steps: int = STEPS) -> Tables:
    """The tables of some steps' traces; the kernels in full are those of the first."""
    first, kernels = next(iter(traces.items()))
    widest = sorted(gaps(kernels), reverse=True)[:MOST_GAPS]
    kinds = [
        dict(step=name, **row)
        for name, found in traces.items()
        for row in longest(found, 'kind', steps)
    ]
    return {
        'Device in a step': [summary(name, found, steps) for name, found in traces.items()],
        'Kinds of kernels': kinds,
        f'Longest kernels of {first}': longest(kernels, 'name', steps),
        f'Longest gaps of {first}': [
            {'µs': gap, 'after': short(before), 'before': short(after)}
            for gap, before, after in widest
        ],
    }
