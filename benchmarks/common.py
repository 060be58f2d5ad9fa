"""What the benchmarks share: timing in turn, memory, the machine, tables."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path

import torch

from bootmae_mm.engine.tables import as_markdown
from bootmae_mm.preflight.planning.clock import peak_memory, synchronise

__all__ = ['peak_memory', 'synchronise']

PACKAGES = (
    'torch', 'torchvision', 'numpy', 'pillow', 'opencv-python',
    'mmengine', 'mmcv', 'mmpretrain', 'mmsegmentation', 'mmdetection',
)  # fmt: skip


def seconds(step: Callable[[], object], clock: str = 'perf_counter') -> float:
    """How long ``step()`` takes, to the end of the work that it started on a GPU, by one of the
    clocks of the module ``time``."""
    synchronise()
    start = getattr(time, clock)()
    step()
    synchronise()
    return getattr(time, clock)() - start


def in_turn(
    steps: Mapping[str, Callable[[], object]],
    rounds: int,
    warm_up: int = 1,
    clock: str = 'perf_counter',
) -> dict[str, list[float]]:
    """Seconds of each step, ``rounds`` of them, taken in turn (A B C A B C …) after ``warm_up``
    rounds that do not count: what slows the machine down for a while slows all of them."""
    times = {name: [] for name in steps}
    for index in range(warm_up + rounds):
        for name, step in steps.items():
            elapsed = seconds(step, clock)
            if index >= warm_up:
                times[name].append(elapsed)
    return times


def medians(times: Mapping[str, list[float]]) -> dict[str, float]:
    """The median of each."""
    return {name: statistics.median(values) for name, values in times.items()}


def in_own_process(function: Callable, *args):
    """``function(*args)`` in a fresh process, for its peak memory; the function must be
    importable."""
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        return pool.submit(function, *args).result()


def machine() -> dict[str, str]:
    """What decides the figures: processor or GPU, cores used, versions, date."""
    found = dict(date=date.today().isoformat(), python=platform.python_version())
    found['cpu'] = processor()
    found['cores'] = f'{len(os.sched_getaffinity(0))}, torch uses {torch.get_num_threads()}'
    if torch.cuda.is_available():
        found['gpu'] = torch.cuda.get_device_name()
        found['cuda'] = torch.version.cuda
    return found | versions()


def processor() -> str:
    """The processor's name, and what it has for low precision."""
    path = Path('/proc/cpuinfo')
    if not path.is_file():
        return platform.processor() or platform.machine()
    lines = dict(line.split(':', 1) for line in path.read_text().splitlines() if ':' in line)
    lines = {name.strip(): value.strip() for name, value in lines.items()}
    flags = lines.get('flags', '').split()
    kinds = [flag for flag in ('avx2', 'avx512f', 'avx512_bf16', 'amx_bf16') if flag in flags]
    return f'{lines.get("model name", platform.machine())} ({", ".join(kinds)})'


def versions() -> dict[str, str]:
    """Of the packages that are installed; of several the one that is found first."""
    last_first = reversed([*metadata.distributions()])
    installed = {dist.metadata['Name'].lower(): dist.version for dist in last_first}
    found = {name: installed.get(name, installed.get(f'onedl-{name}')) for name in PACKAGES}
    return {name: version for name, version in found.items() if version}


def table(rows: Iterable[Mapping[str, object]]) -> str:
    """Rows of the same columns as Markdown; floats with three significant digits."""
    rows = list(rows)
    if not rows:
        return ''
    heads = list(rows[0])
    return as_markdown(heads, [[cell(row[head]) for head in heads] for row in rows])


def cell(value: object) -> str:
    """A value in a table; None is not measured."""
    if value is None:
        return '–'
    if isinstance(value, float):
        return f'{value:.0f}' if abs(value) >= 100 else f'{value:.3g}'
    return str(value)


def write(folder: Path, name: str, title: str, sections: Mapping[str, list[dict]]) -> None:
    """``name.json`` and ``name.md`` in ``folder``: the machine, and a table for every section."""
    folder.mkdir(parents=True, exist_ok=True)
    found = machine()
    content = dict(title=title, machine=found, sections=sections)
    (folder / f'{name}.json').write_text(json.dumps(content, indent=1, ensure_ascii=False) + '\n')
    where = '\n'.join(f'- {key}: {value}' for key, value in found.items())
    parts = [f'# {title}', where]
    parts += [f'## {head}\n\n{table(rows)}' for head, rows in sections.items() if rows]
    (folder / f'{name}.md').write_text('\n\n'.join(parts) + '\n')
