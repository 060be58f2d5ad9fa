"""The ordinary tools, as the commands call them: each in a process of its own, which leaves nothing
behind in this one and on the GPU."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from .. import shipped
from ..preflight.planning.arithmetic import Measurement

Say = Callable[[str], None]


def tool(name: str, *arguments: object) -> list[str]:
    """The command line of one of the tools."""
    return [sys.executable, str(shipped.folder() / f'tools/{name}.py'), *map(str, arguments)]


def environment() -> dict[str, str]:
    """That of a tool: it finds this package wherever it lies, and this Python as ``python``."""
    first = dict(PYTHONPATH=str(Path(__file__).parents[2]), PATH=str(Path(sys.executable).parent))
    joined = {
        name: os.pathsep.join(filter(None, [folder, os.environ.get(name, '')]))
        for name, folder in first.items()
    }
    return {**os.environ, **joined}


def measure(config: Path, batch: int) -> Measurement:
    """Time a few steps of a config with so many pictures, with ``tools/plan.py``; on a CPU on one
    core.

    Raises:
        ValueError: If they cannot be trained on, with the tool's reason.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / 'measured.json'
        done = subprocess.run(
            tool('plan', config, '--gpus', 1, '--batch', batch, '--save', file),
            env={'OMP_NUM_THREADS': '1', **environment()}, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise ValueError(last_words(done.stderr, 'plan.py: error: '))
        return Measurement(**json.loads(file.read_text()))


def last_words(printed: str, before: str = '') -> str:
    """The last line that a tool printed, without what stands before its sentence."""
    lines = [line for line in printed.splitlines() if line.strip()] or ['it said nothing']
    return lines[-1].partition(before)[2] or lines[-1]


def diagnose(config: Path, gpus: int, say: Say) -> None:
    """Have ``tools/doctor.py`` look at a config; say its warnings.

    Raises:
        ValueError: At the first problem, with the doctor's sentence.
    """
    done = subprocess.run(
        tool('doctor', config, '--gpus', gpus), env=environment(), capture_output=True, text=True
    )
    for line in done.stdout.splitlines():
        mark, sentence = line[13:21].strip(), line[22:]
        if mark == 'warning':
            say(f'warning    {sentence}')
        if mark == 'PROBLEM':
            raise ValueError(sentence)
    if done.returncode:
        raise ValueError(last_words(done.stderr, 'doctor.py: error: '))


def training_command(config: Path, processes: int) -> list[str]:
    """What trains, or goes on, in so many processes on this machine."""
    if processes > 1:
        script = shipped.folder() / 'tools/dist_train.sh'
        return ['bash', str(script), str(config), str(processes)]
    return tool('train', config)
