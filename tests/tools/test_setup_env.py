"""The set-up script's decisions, without installing anything, and the pins it installs."""

import ast
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.helpers.paths import ROOT

SCRIPT = ROOT / 'tools' / 'setup_env.py'
CONSTRAINTS = 'onedl-mmcv==2.3.6\nuv==0.11.33\n'


@pytest.fixture
def setup_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The script as a module, at work in a checkout that has nothing but two requirement files."""
    spec = importlib.util.spec_from_file_location('setup_env', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    checkout = tmp_path / 'checkout'
    (checkout / 'requirements').mkdir(parents=True)
    (checkout / 'requirements' / 'build.txt').write_text('torch')
    (checkout / 'requirements' / 'constraints.txt').write_text(CONSTRAINTS)
    (checkout / 'pyproject.toml').touch()
    monkeypatch.chdir(checkout)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return module


def make_python() -> None:
    python = Path('.venv/bin/python')
    python.parent.mkdir(parents=True, exist_ok=True)
    python.symlink_to(sys.executable)


def stamp_as_ready(setup_env, torch_index: str = '') -> None:
    make_python()
    stamp = {'fingerprint': setup_env.fingerprint(), 'torch_index': torch_index}
    setup_env.STAMP.write_text(json.dumps(stamp))


def interrupt(*arguments) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def commands(setup_env, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that the script calls; none of them does anything but to make `.venv`."""

    def record(command, failure):
        commands.append(' '.join(map(str, command)))
        if '-m venv' in commands[-1]:
            make_python()

    commands = []
    monkeypatch.setattr(setup_env, 'run', record)
    return commands


# ---- as a whole ---------------------------------------------------------------------------------


def test_script_can_be_read_by_a_python_that_is_too_old() -> None:
    ast.parse(SCRIPT.read_text(), feature_version=(3, 6))


def test_steps_of_a_set_up(setup_env, commands, monkeypatch) -> None:
    monkeypatch.setattr(setup_env, 'find_or_build_mmcv', lambda links: Path('/cache/mmcv.whl'))
    setup_env.set_up('cpu-wheels')
    uv = (
        '.venv/bin/python -m uv pip install --python .venv/bin/python '
        '--constraints requirements/constraints.txt '
        '--build-constraints requirements/constraints.txt'
    )
    assert commands == [
        f'{sys._base_executable} -m venv .venv',
        '.venv/bin/python -m pip install -q uv==0.11.33',
        f'{uv} --no-deps --index-url cpu-wheels torch torchvision',
        f'{uv} -r requirements/build.txt',
        f'{uv} --excludes requirements/excluded.txt /cache/mmcv.whl -e .[onedl,dev,convert]',
        f'.venv/bin/python -c {setup_env.IMPORTS}',
    ]
    assert setup_env.is_up_to_date('')
    assert setup_env.read_stamp()['torch_index'] == 'cpu-wheels'


def test_a_set_up_for_pretraining_compiles_nothing(setup_env, commands, monkeypatch) -> None:
    monkeypatch.setattr(setup_env, 'find_or_build_mmcv', interrupt)
    setup_env.set_up('', pretrain_only=True)
    assert commands[-2].endswith('--excludes requirements/excluded.txt -e .[pretrain,convert]')
    assert commands[-1] == f'.venv/bin/python -c {setup_env.PRETRAIN_IMPORTS}'
    assert setup_env.is_up_to_date('', pretrain_only=True)
    assert not setup_env.is_up_to_date('')  # as `make test` asks
    monkeypatch.setattr(setup_env, 'find_or_build_mmcv', lambda links: Path('/cache/mmcv.whl'))
    setup_env.PYTHON.unlink()
    setup_env.set_up('')
    assert setup_env.is_up_to_date('', pretrain_only=True) and setup_env.is_up_to_date('')


@pytest.mark.parametrize('given', ['', '0', '1'])
def test_what_make_is_told_reaches_the_set_up(setup_env, monkeypatch, given: str) -> None:
    asked = []
    options = ['--mmcv-links', 'a page', '--pretrain-only', given, '--torch-index', 'wheels']
    monkeypatch.setattr(sys, 'argv', ['setup_env.py', *options])
    monkeypatch.setattr(setup_env, 'set_up', lambda *args: asked.append(args))
    monkeypatch.setattr(setup_env.os, 'chdir', lambda folder: None)
    setup_env.main()
    assert asked == [('wheels', 'a page', given == '1')]


def test_interrupted_set_up_names_what_goes_on_with_it(setup_env, monkeypatch) -> None:
    monkeypatch.setattr(sys, 'argv', ['setup_env.py'])
    monkeypatch.setattr(setup_env, 'is_up_to_date', lambda *asked: False)
    monkeypatch.setattr(setup_env, 'set_up', interrupt)
    with pytest.raises(SystemExit, match='run the same command again'):
        setup_env.main()


@pytest.mark.parametrize(
    ('arguments', 'with_venv', 'python'),
    [
        ([], False, 'python3'),
        ([], True, '.venv/bin/python'),
        (['PYTHON=python3.12'], True, 'python3.12'),
    ],
)
def test_python_that_make_takes(
    tmp_path: Path, monkeypatch, arguments: list[str], with_venv: bool, python: str
) -> None:
    shutil.copy(ROOT / 'Makefile', tmp_path)
    monkeypatch.chdir(tmp_path)
    if with_venv:
        make_python()
    command = ['make', '--dry-run', 'env', *arguments]
    env = {'PATH': os.environ['PATH']}  # nothing of the make that may be running the tests
    text = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    assert f"\n{python} tools/setup_env.py --torch-index '' --mmcv-links ''" in text


# ---- what is there already ----------------------------------------------------------------------


@pytest.mark.parametrize(('version', 'accepted'), [(9, False), (10, True), (13, True), (14, False)])
def test_python_versions(setup_env, version: int, accepted: bool) -> None:
    if accepted:
        setup_env.check_python((3, version))
    else:
        with pytest.raises(SystemExit, match=rf'3\.10 to 3\.13 .* is 3\.{version}:'):
            setup_env.check_python((3, version))


def test_an_environment_of_another_python_is_refused(setup_env) -> None:
    Path('.venv/lib/python3.11').mkdir(parents=True)
    setup_env.check_python((3, 11))
    with pytest.raises(SystemExit, match=r'\.venv has python3\.11, PYTHON is 3\.12: .*clean-env'):
        setup_env.check_python((3, 12))


def test_an_unfinished_environment_of_another_python_is_none(setup_env) -> None:
    Path('.venv/lib/python3.11').mkdir(parents=True)
    setup_env.UNFINISHED.touch()
    setup_env.check_python((3, 12))


def test_nothing_is_done_twice_and_a_changed_requirement_is_noticed(setup_env) -> None:
    assert not setup_env.is_up_to_date('')
    stamp_as_ready(setup_env)
    assert setup_env.is_up_to_date('')
    Path('requirements/build.txt').write_text('torch>2')
    assert not setup_env.is_up_to_date('')


def test_a_moved_checkout_is_noticed(setup_env, tmp_path: Path, monkeypatch) -> None:
    stamp_as_ready(setup_env)
    Path.cwd().rename(tmp_path / 'moved')
    monkeypatch.chdir(tmp_path / 'moved')
    assert not setup_env.is_up_to_date('')


def test_another_torch_index_is_not_ignored(setup_env) -> None:
    stamp_as_ready(setup_env, torch_index='first')
    assert setup_env.is_up_to_date('first')
    assert setup_env.is_up_to_date('')
    with pytest.raises(SystemExit, match='TORCH_INDEX=second'):
        setup_env.is_up_to_date('second')


# ---- installing ---------------------------------------------------------------------------------


def test_a_cut_off_installation_is_started_afresh(setup_env, commands, monkeypatch) -> None:
    stamp_as_ready(setup_env)
    Path('.venv/half-written').touch()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(setup_env, 'run', interrupt)
        setup_env.install(['uv'])
    assert not setup_env.is_up_to_date('')
    setup_env.create_environment()
    assert not Path('.venv/half-written').exists()


def test_a_finished_installation_is_kept(setup_env, monkeypatch) -> None:
    stamp_as_ready(setup_env)
    Path('.venv/installed').touch()
    monkeypatch.setattr(setup_env, 'run', lambda command, failure: None)
    setup_env.install(['uv'])
    assert setup_env.is_up_to_date('')
    setup_env.create_environment()
    assert Path('.venv/installed').exists()


def test_a_failed_installation_names_the_package_index(setup_env) -> None:
    with pytest.raises(SystemExit, match='check that this machine reaches a package index'):
        setup_env.install(['false'])


# ---- mmcv's wheel -------------------------------------------------------------------------------


def write_nvcc(folder: Path, release: str) -> None:
    nvcc = folder / 'bin' / 'nvcc'
    nvcc.parent.mkdir()
    nvcc.write_text(f'#!/bin/sh\necho "Cuda compilation tools, release {release}, V{release}.61"\n')
    nvcc.chmod(0o755)


@pytest.mark.parametrize(('cuda', 'device'), [(None, 'cpu'), ('12.8', 'cuda12.8')])
def test_a_wheel_built_earlier_is_used(
    setup_env, tmp_path: Path, monkeypatch, cuda: str | None, device: str
) -> None:
    write_nvcc(tmp_path, '12.6')
    monkeypatch.setattr(setup_env, 'probe_torch', lambda: ['2.10.0+cu128', cuda, str(tmp_path)])
    python = f'cp3{sys.version_info.minor}'
    key = f'{python}-torch2.10.0+cu128-mmcv2.3.6-{device}-{sysconfig.get_platform()}'
    wheel = tmp_path / 'cache' / 'bootmae-mm' / 'wheels' / key / 'onedl_mmcv-2.3.6.whl'
    wheel.parent.mkdir(parents=True)
    wheel.touch()
    assert setup_env.find_or_build_mmcv() == wheel


@pytest.mark.parametrize('name', ['mmcv/_ext.so', 'mmcv/ops/nms.py'])
def test_a_ready_wheel_is_taken_if_it_has_operators(
    setup_env, tmp_path: Path, monkeypatch, capsys, name: str
) -> None:
    """From a page of links with a real pip; one without operators is compiled instead."""
    make_python()
    page = tmp_path / 'page'
    page.mkdir()
    with zipfile.ZipFile(page / 'onedl_mmcv-2.3.6-py3-none-any.whl', 'w') as wheel:
        wheel.writestr(name, '')
        info = 'onedl_mmcv-2.3.6.dist-info'
        wheel.writestr(
            f'{info}/METADATA', 'Metadata-Version: 2.1\nName: onedl-mmcv\nVersion: 2.3.6'
        )
        wheel.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\nTag: py3-none-any')
    monkeypatch.setattr(setup_env, 'probe_torch', lambda: ['2.10.0', None, None])
    monkeypatch.setattr(setup_env, 'build_mmcv', lambda *_: Path('built.whl'))
    monkeypatch.setattr(setup_env, 'check_compiler', lambda headers: None)
    found = setup_env.find_or_build_mmcv(str(page))
    if name.endswith('.so'):
        assert found.name == 'onedl_mmcv-2.3.6-py3-none-any.whl' and found.is_file()
        assert setup_env.find_or_build_mmcv() == found  # kept for the next time
    else:
        assert found == Path('built.whl')
        assert 'compiling it' in capsys.readouterr().out


def test_a_torch_that_does_not_import_is_named(setup_env) -> None:
    Path('torch.py').write_text('raise ImportError("broken on purpose")')
    make_python()
    with pytest.raises(SystemExit, match='PyTorch is installed but does not import'):
        setup_env.probe_torch()


def test_nvcc_of_the_same_cuda_compiles_for_the_gpu(setup_env, tmp_path: Path, capsys) -> None:
    write_nvcc(tmp_path, '12.6')
    assert setup_env.can_compile_cuda('12.8', str(tmp_path))
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize(('release', 'found'), [('13.0', 'is another'), (None, 'does not exist')])
def test_an_unsuitable_nvcc_is_named(
    setup_env, tmp_path: Path, capsys, release: str | None, found: str
) -> None:
    if release:
        write_nvcc(tmp_path, release)
    assert not setup_env.can_compile_cuda('12.8', str(tmp_path))
    assert f'nvcc of CUDA 12, and {tmp_path}/bin/nvcc {found}' in capsys.readouterr().out


def test_a_missing_compiler_is_named(setup_env, monkeypatch) -> None:
    monkeypatch.setenv('CXX', 'no-such-compiler -O2')
    with pytest.raises(SystemExit, match="no C\\+\\+ compiler 'no-such-compiler'"):
        setup_env.check_compiler('')


def test_missing_headers_are_named(setup_env, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv('CXX', sys.executable)
    with pytest.raises(SystemExit, match=f'C headers, .* are not in {tmp_path}:.* python3-dev'):
        setup_env.check_compiler(str(tmp_path))
    (tmp_path / 'Python.h').touch()
    setup_env.check_compiler(str(tmp_path))


def test_progress_tells_elapsed_and_remaining_time(setup_env) -> None:
    # 60 s for 20 files are 3 s a file, and 58 files are left
    text = setup_env.progress(done=20, total=78, elapsed=60.0)
    assert text == '20/78 files, 1 min 00 s elapsed, 2 min 54 s to go'


@pytest.mark.parametrize(('interval', 'shown'), [(0, ['1/2', '2/2']), (60, [])])
def test_a_build_is_logged_and_its_progress_shown(
    setup_env, tmp_path: Path, capsys, monkeypatch, interval: int, shown: list[str]
) -> None:
    monkeypatch.setattr(setup_env, 'SECONDS_BETWEEN_LINES', interval)
    script = "print('  [1/2] c++ a.cpp'); print('note'); print('  [2/2] c++ b.cpp')"
    setup_env.compile_with_progress([sys.executable, '-c', script], None, tmp_path / 'log')
    assert re.findall('^(.*) files, .* elapsed, .* to go$', capsys.readouterr().out, re.M) == shown
    assert (tmp_path / 'log').read_text() == '  [1/2] c++ a.cpp\nnote\n  [2/2] c++ b.cpp\n'


def test_a_failed_build_shows_the_end_of_its_log(setup_env, tmp_path: Path, capsys) -> None:
    command = [sys.executable, '-c', "print('error: no such header'); raise SystemExit(1)"]
    with pytest.raises(SystemExit, match='did not compile'):
        setup_env.compile_with_progress(command, None, tmp_path / 'log')
    assert 'error: no such header' in capsys.readouterr().err


@pytest.fixture
def build(setup_env, monkeypatch):
    """Builds a wheel of one file into a folder; returns wheel, command and settings."""

    def build(file: str, folder: Path) -> tuple[Path, list[str], dict[str, str]]:
        def fake_build(command, env, log):
            options.extend(command)
            settings.update(env)
            built = Path(command[command.index('-w') + 1])
            with zipfile.ZipFile(built / 'onedl_mmcv.whl', 'w') as wheel:
                wheel.writestr(file, '')

        options, settings = [], {}
        monkeypatch.setattr(setup_env, 'compile_with_progress', fake_build)
        monkeypatch.setattr(setup_env, 'fetch_mmcv_source', lambda *_: 'the source')
        folder.mkdir()
        return setup_env.build_mmcv('onedl-mmcv', folder, with_cuda=False), options, settings

    return build


def test_a_wheel_with_operators_is_kept(build, tmp_path: Path) -> None:
    wheel, _, _ = build('mmcv/_ext.cpython-311.so', tmp_path / 'wheels')
    assert wheel == tmp_path / 'wheels' / 'onedl_mmcv.whl'
    assert list((tmp_path / 'wheels').iterdir()) == [wheel]


def test_a_wheel_without_operators_is_not_kept(build, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match='without its operators'):
        build('mmcv/ops/nms.py', tmp_path / 'wheels')
    assert list((tmp_path / 'wheels').iterdir()) == []


def test_a_build_sees_the_torch_of_the_environment(build, tmp_path: Path) -> None:
    _, options, _ = build('mmcv/_ext.so', tmp_path / 'wheels')
    assert options[:2] == [Path('.venv/bin/python'), '-m']
    assert '--no-build-isolation' in options and options[-1] == 'the source'


def test_the_source_leaves_the_standard_of_the_language_to_torch(
    setup_env, tmp_path: Path, monkeypatch
) -> None:
    """torch adds the one that it needs, which from 2.14 on is C++20, where there is none."""
    setup = """\
            extra_compile_args['cxx'] = ['-std=c++17']
            extra_compile_args['cxx'] = ['-Wall', '-std=c++17']
            extra_compile_args['nvcc'] += ['-std=c++17']
"""

    def download(command, failure):
        assert command[-1] == 'onedl-mmcv==1.2' and command[-2] == str(tmp_path)
        (tmp_path / 'made/onedl_mmcv-1.2').mkdir(parents=True)
        (tmp_path / 'made/onedl_mmcv-1.2/setup.py').write_text(setup)
        shutil.make_archive(str(tmp_path / 'onedl_mmcv-1.2'), 'gztar', tmp_path / 'made')

    monkeypatch.setattr(setup_env, 'run', download)
    source = setup_env.fetch_mmcv_source('onedl-mmcv==1.2', str(tmp_path))
    lines = (source / 'setup.py').read_text().split()
    assert [line for line in lines if '[' in line and 'args' not in line] == [
        '[]',
        "['-Wall']",
        '[]',
    ]


def test_a_build_is_cheap_and_leaves_an_unsuitable_gpu_alone(
    build, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv('FORCE_CUDA', '1')
    monkeypatch.setenv('CFLAGS', '-O3')
    _, _, settings = build('mmcv/_ext.so', tmp_path / 'wheels')
    assert (settings['CFLAGS'], settings['CXXFLAGS']) == ('-O3', '-O1 -g0')
    assert (settings['CUDA_VISIBLE_DEVICES'], settings['FORCE_CUDA']) == ('', '0')


# ---- the pins -----------------------------------------------------------------------------------


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


def test_the_lowest_versions_are_those_that_the_project_admits() -> None:
    """Of its own requirements but NumPy, of which the packages around it want a newer one."""
    lowest = read_requirements(ROOT / 'requirements' / 'lowest.txt')
    pins = {pin.name: next(iter(pin.specifier)).version for pin in lowest}
    own = [r for r in project_requirements() if not r.marker or 'convert' in str(r.marker)]
    assert len(own) > 8
    for requirement in own:
        assert requirement.specifier.contains(pins[requirement.name]), requirement
        bounds = {s.version for s in requirement.specifier if s.operator == '>='}
        if requirement.name != 'numpy':
            assert Version(pins[requirement.name]) == Version(*bounds), requirement


def test_other_constraints_make_another_environment(setup_env, monkeypatch) -> None:
    before = setup_env.fingerprint()
    monkeypatch.setattr(setup_env, 'CONSTRAINTS', Path('requirements/lowest.txt'))
    assert setup_env.fingerprint() != before


def test_no_requirement_file_names_an_address() -> None:
    for path in (ROOT / 'requirements').glob('*.txt'):
        assert '://' not in path.read_text(), path
