"""The lowest versions that pyproject.toml admits, in a clone and an environment of their own."""

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

LOWEST = 'requirements/lowest.txt'
# What depends on PyTorch, Pillow and the toolboxes most.
TESTS = ['data', 'encoder', 'pretrain', 'engine', 'checkpoint', 'convert', 'transfer', 'commands']


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of what git knows of."""
    files = subprocess.check_output(['git', 'ls-files', '-z'], cwd=ROOT, text=True).split('\0')
    with tarfile.open(tmp_path / 'clone.tar', 'w') as archive:
        for name in files:
            if name and (ROOT / name).exists():
                archive.add(ROOT / name, name)
    with tarfile.open(tmp_path / 'clone.tar') as archive:
        archive.extractall(tmp_path / 'clone', filter='data')
    return tmp_path / 'clone'


@pytest.mark.long
def test_the_lowest_versions_pass_the_tests(clone: Path) -> None:
    """Needs a package index; compiles mmcv's operators once for all clones."""
    env = {**os.environ, 'CONSTRAINTS': LOWEST}
    subprocess.run(['make', 'setup'], cwd=clone, env=env, check=True)
    python = clone / '.venv/bin/python'
    installed = subprocess.check_output(
        [python, '-c', 'import torch; print(torch.__version__)'], text=True
    )
    torch = next(x for x in (ROOT / LOWEST).read_text().splitlines() if x.startswith('torch=='))
    assert installed.startswith(torch.partition('==')[2])
    words = ['-m', 'pytest', '-q', '-n', '2', '-m', 'not long', *(f'tests/{t}' for t in TESTS)]
    env = {**os.environ, 'OMP_NUM_THREADS': '1'}
    done = subprocess.run([python, *words], cwd=clone, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
