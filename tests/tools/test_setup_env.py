"""The set-up script's decisions, without installing anything, and the pins it installs."""

import ast
import importlib.metadata
import importlib.util
import json
import re
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.helpers.paths import ROOT

SCRIPT = ROOT / 'tools' / 'setup_env.py'


@pytest.fixture
def setup_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The script as a module, at work in an empty folder with one requirement file."""
    spec = importlib.util.spec_from_file_location('setup_env', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / 'requirements').mkdir()
    (tmp_path / 'requirements' / 'build.txt').write_text('torch')
    (tmp_path / 'pyproject.toml').touch()
    for name in ('ROOT', 'REQUIREMENTS', 'VENV', 'PYTHON', 'STAMP', 'UNFINISHED'):
        there = tmp_path / getattr(module, name).relative_to(ROOT)
        monkeypatch.setattr(module, name, there)
    return module


def stamp_as_ready(setup_env, torch_index: str = '') -> None:
    setup_env.PYTHON.parent.mkdir(parents=True)
    setup_env.PYTHON.symlink_to(sys.executable)
    stamp = {'fingerprint': setup_env.fingerprint(), 'torch_index': torch_index}
    setup_env.STAMP.write_text(json.dumps(stamp))


def test_script_can_be_read_by_a_python_that_is_too_old() -> None:
    ast.parse(SCRIPT.read_text(), feature_version=(3, 6))


@pytest.mark.parametrize(('version', 'accepted'), [(9, False), (10, True), (12, True), (13, False)])
def test_python_versions(setup_env, version: int, accepted: bool) -> None:
    if accepted:
        setup_env.check_python((3, version))
    else:
        with pytest.raises(setup_env.SetupError, match=rf'3\.10 to 3\.12 .* is 3\.{version}:'):
            setup_env.check_python((3, version))


def test_nothing_is_done_twice_and_a_changed_requirement_is_noticed(setup_env) -> None:
    assert not setup_env.is_up_to_date('')
    stamp_as_ready(setup_env)
    assert setup_env.is_up_to_date('')
    (setup_env.REQUIREMENTS / 'build.txt').write_text('torch>2')
    assert not setup_env.is_up_to_date('')


def test_a_moved_checkout_is_noticed(setup_env, tmp_path: Path, monkeypatch) -> None:
    stamp_as_ready(setup_env)
    monkeypatch.setattr(setup_env, 'ROOT', tmp_path / 'requirements' / '..')
    assert not setup_env.is_up_to_date('')


def test_another_torch_index_is_not_ignored(setup_env) -> None:
    stamp_as_ready(setup_env, torch_index='first')
    assert setup_env.is_up_to_date('first')
    assert setup_env.is_up_to_date('')
    with pytest.raises(setup_env.SetupError, match='TORCH_INDEX=second'):
        setup_env.is_up_to_date('second')


def test_a_cut_off_installation_is_started_afresh(setup_env) -> None:
    with pytest.raises(KeyboardInterrupt), setup_env.installing():
        raise KeyboardInterrupt
    setup_env.remove_unfinished()
    assert not setup_env.VENV.exists()


def test_a_finished_installation_is_kept(setup_env) -> None:
    with setup_env.installing():
        pass
    setup_env.remove_unfinished()
    assert setup_env.VENV.exists()


def test_a_missing_compiler_is_named(setup_env, monkeypatch) -> None:
    monkeypatch.setenv('CXX', 'no-such-compiler -O2')
    with pytest.raises(setup_env.SetupError, match="no C\\+\\+ compiler 'no-such-compiler'"):
        setup_env.check_compiler({'include': ''})


def test_progress_tells_elapsed_and_remaining_time(setup_env, capsys, monkeypatch) -> None:
    monkeypatch.setattr(setup_env.time, 'monotonic', lambda: 160.0)
    setup_env.show_progress(done=20, total=78, start=100.0, shown=100.0)
    # 60 s for 20 files are 3 s a file, and 58 files are left
    assert capsys.readouterr().out == '20/78 files, 1 min 00 s elapsed, 2 min 54 s to go\n'
    setup_env.show_progress(done=21, total=78, start=100.0, shown=150.0)
    assert capsys.readouterr().out == ''


def test_a_build_is_logged_and_its_progress_shown(setup_env, tmp_path: Path, capsys) -> None:
    script = "print('  [1/2] c++ a.cpp'); print('note'); print('  [2/2] c++ b.cpp')"
    setup_env.compile_with_progress([sys.executable, '-c', script], None, tmp_path / 'log')
    assert re.search('^2/2 files, .* elapsed, 0 min 00 s to go$', capsys.readouterr().out, re.M)
    assert (tmp_path / 'log').read_text() == '  [1/2] c++ a.cpp\nnote\n  [2/2] c++ b.cpp\n'


def test_a_failed_build_shows_the_end_of_its_log(setup_env, tmp_path: Path, capsys) -> None:
    command = [sys.executable, '-c', "print('error: no such header'); raise SystemExit(1)"]
    with pytest.raises(setup_env.SetupError, match='did not compile'):
        setup_env.compile_with_progress(command, None, tmp_path / 'log')
    assert 'error: no such header' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('extension', 'accepted'), [('mmcv/_ext.cpython-311.so', True), ('mmcv/ops/nms.py', False)]
)
def test_only_a_wheel_with_operators_is_kept(
    setup_env, tmp_path: Path, monkeypatch, extension: str, accepted: bool
) -> None:
    def fake_build(command, env, log):
        with zipfile.ZipFile(Path(command[-1]) / 'onedl_mmcv.whl', 'w') as wheel:
            wheel.writestr(extension, '')

    monkeypatch.setattr(setup_env, 'compile_with_progress', fake_build)
    folder = tmp_path / 'wheels'
    folder.mkdir()
    if accepted:
        wheel = setup_env.build_mmcv('onedl-mmcv', folder, with_cuda=False)
        assert list(folder.iterdir()) == [wheel]
    else:
        with pytest.raises(setup_env.SetupError, match='without its operators'):
            setup_env.build_mmcv('onedl-mmcv', folder, with_cuda=False)
        assert list(folder.iterdir()) == []


def read_requirements(path: Path) -> list[Requirement]:
    lines = path.read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith('#')]


def project_requirements() -> list[Requirement]:
    """What the project itself asks for, read from its installed metadata."""
    lines = importlib.metadata.requires('bootmae-mm')
    return [Requirement(line) for line in lines if 'upstream' not in line]


def test_every_direct_requirement_is_pinned() -> None:
    constraints = read_requirements(ROOT / 'requirements' / 'constraints.txt')
    pins = {pin.name: next(iter(pin.specifier)) for pin in constraints}
    assert all(pin.operator == '==' for pin in pins.values())
    wanted = read_requirements(ROOT / 'requirements' / 'build.txt') + project_requirements()
    for requirement in wanted:
        if requirement.name != 'bootmae-mm':
            assert requirement.specifier.contains(pins[requirement.name].version), requirement


def test_no_requirement_file_names_an_address() -> None:
    for path in (ROOT / 'requirements').glob('*.txt'):
        assert '://' not in path.read_text(), path
