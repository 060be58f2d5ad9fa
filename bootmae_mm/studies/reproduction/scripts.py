"""Scripts for Slurm: one for every run, and one that submits them in their order."""

import shlex
from pathlib import Path

from .launching import ROOT, command
from .runs import Paths, Run

HEADER = """#!/usr/bin/env bash
#SBATCH --job-name={name}
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --gpus={gpus}
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --output={folder}/{name}.%j.out
# Stopped two minutes before its time is over, it writes a checkpoint, ends with status 99 and is
# queued again; the same command then goes on.
cd {root}
source {common}
run_job {command}
"""
SUBMIT = """#!/usr/bin/env bash
# Submits all runs, each after those it starts from. Options for all of them: SBATCH_PARTITION=gpu
# and the like, see sbatch's manual.
set -euo pipefail
"""


def write_scripts(runs: list[Run], paths: Paths, gpus: int, folder: Path) -> str:
    """Write the scripts; returns what to do with them."""
    if not runs:
        return 'Nothing is missing.'
    folder.mkdir(parents=True, exist_ok=True)
    names = {run: f'{run.name}_seed{run.seed}' for run in runs}
    lines = []
    for number, run in enumerate(runs):
        write_job(run, names[run], paths, gpus, folder)
        before = [f'${{job_{runs.index(o)}}}' for o in run.origins(paths) if o in names]
        after = f'--dependency=afterok:{":".join(before)} ' if before else ''
        script = shlex.quote(str((folder / f'{names[run]}.sh').resolve()))
        lines.append(f'job_{number}=$(sbatch --parsable {after}{script})')
    submit = folder / 'submit.sh'
    submit.write_text(SUBMIT + '\n'.join(lines) + '\n')
    submit.chmod(0o755)
    return (
        f'Wrote {len(runs)} jobs; submit them with {submit}, and when they are done run '
        'python tools/reproduce.py record.'
    )


def write_job(run: Run, name: str, paths: Paths, gpus: int, folder: Path) -> None:
    """The script of one run."""
    text = HEADER.format(
        name=name, gpus=gpus, folder=folder, root=shlex.quote(str(Path.cwd())),
        common=shlex.quote(str(ROOT / 'tools/launch_common.sh')),
        command=shlex.join(command(run, paths, gpus)),
    )  # fmt: skip
    path = folder / f'{name}.sh'
    path.write_text(text)
    path.chmod(0o755)
