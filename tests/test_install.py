"""What importing the package says, and needs, where parts of the OpenMMLab stack are missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from bootmae_mm.registration import REQUIRED_PACKAGES
from tests.helpers.paths import ROOT


def run_python(code: str, *flags: str) -> subprocess.CompletedProcess:
    """Run code in a new interpreter that finds this checkout's package."""
    code = f'import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}'
    return subprocess.run([sys.executable, *flags, '-c', code], capture_output=True, text=True)


def test_without_the_stack_the_extras_are_named() -> None:
    result = run_python('import bootmae_mm.registration', '-S')  # -S: no site-packages at all
    message = result.stderr.splitlines()[-1]
    assert message.startswith('ImportError: bootmae_mm needs mmengine, mmcv, mmpretrain, ')
    for extra in ('pretrain', 'onedl', 'upstream'):
        assert f'bootmae-mm[{extra}]' in message


@pytest.mark.parametrize('name', REQUIRED_PACKAGES)
def test_only_what_is_missing_is_named(name: str) -> None:
    result = run_python(f'sys.modules[{name!r}] = None\nimport bootmae_mm.registration')
    assert f'ImportError: bootmae_mm needs {name}, not found' in result.stderr


def test_a_package_that_is_there_but_broken_shows_its_own_error(tmp_path: Path) -> None:
    for name in REQUIRED_PACKAGES:
        (tmp_path / f'{name}.py').write_text('raise ImportError("broken on purpose")')
    result = run_python(f'sys.path.insert(0, {str(tmp_path)!r})\nimport bootmae_mm.registration')
    assert result.stderr.splitlines()[-1] == 'ImportError: broken on purpose'


def test_pretraining_needs_no_compiled_operator() -> None:
    """As in an environment of the `pretrain` extra, whose mmcv cannot import its operators."""
    code = """
for name in ('mmcv._ext', 'mmcv.ops', 'mmseg', 'mmdet'):
    sys.modules[name] = None
import bootmae_mm.registration
from mmpretrain.registry import MODELS
print(MODELS.get('BootMAE').__module__)
"""
    result = run_python(code)
    assert result.returncode == 0, result.stderr
    assert 'bootmae_mm.pretrain.bootmae' in result.stdout.splitlines()
