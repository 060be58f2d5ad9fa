"""Training in several processes by the user's command."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from .paths import ROOT


def dist_train(
    config: str | Path, processes: int, folder: Path, *arguments: str | Path, seconds: float = 500
) -> subprocess.CompletedProcess:
    """Run ``tools/dist_train.sh`` from a folder, on one thread each.

    A run that takes too long ends with all its processes, which ending the script alone would leave
    behind: they are in sessions of their own.

    Raises:
        subprocess.TimeoutExpired: If it takes longer than so many seconds.
    """
    command = [ROOT / 'tools/dist_train.sh', config, str(processes), *arguments]
    path = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'
    process = subprocess.Popen(
        command, cwd=folder, env={**os.environ, 'PATH': path, 'OMP_NUM_THREADS': '1'},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        end(process)
        raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def end(process: subprocess.Popen) -> None:
    """By signals to the launch script: the first asks for a checkpoint, another ends the run."""
    while process.poll() is None:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
    process.communicate()
