"""What importing the package says and needs when parts of the OpenMMLab stack are not there."""

import subprocess
import sys
from pathlib import Path

import pytest

from bootmae_mm._stack import REQUIRED_PACKAGES

ROOT = Path(__file__).parent.parent


def run_python(code: str, *flags: str, path: Path = ROOT) -> subprocess.CompletedProcess:
    """Run code in a new interpreter that finds modules in `path` first."""
    code = f'import sys; sys.path.insert(0, {str(path)!r})\n{code}'
    return subprocess.run([sys.executable, *flags, '-c', code], capture_output=True, text=True)


def test_an_environment_without_the_stack_is_told_which_extra_to_install() -> None:
    result = run_python('import bootmae_mm', '-S')  # -S: no site-packages at all
    last_line = result.stderr.splitlines()[-1]
    assert last_line.startswith('ImportError: bootmae_mm needs mmengine, mmcv, mmpretrain, ')
    for extra in ('pretrain', 'onedl', 'upstream'):
        assert f'bootmae-mm[{extra}]' in last_line


@pytest.mark.parametrize('name', REQUIRED_PACKAGES)
def test_only_what_is_missing_is_named(name: str) -> None:
    result = run_python(f'sys.modules[{name!r}] = None\nimport bootmae_mm')
    assert f'ImportError: bootmae_mm needs {name}, not found' in result.stderr


def test_a_package_that_is_there_but_broken_shows_its_own_error(tmp_path: Path) -> None:
    for name in REQUIRED_PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / '__init__.py').write_text(f'raise ImportError("{name} is broken")')
    check = 'from bootmae_mm._stack import require_stack\nrequire_stack()'
    result = run_python(f'sys.path.insert(0, {str(tmp_path)!r})\nimport bootmae_mm')
    assert 'is broken' in result.stderr.splitlines()[-1], (check, result.stderr)
