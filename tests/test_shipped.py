"""Configs and tools from an installed package: what a wheel holds, and how they are found."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bootmae_mm import __main__ as command
from bootmae_mm import shipped
from bootmae_mm.data.synthetic.dense_layout import write_dense_layouts
from tests.helpers.paths import ROOT

BUILT_FROM = (
    'setup.py',
    'pyproject.toml',
    'MANIFEST.in',
    'README.md',
    'LICENSE',
    'model-index.yml',
)


@pytest.fixture(scope='module')
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, unpacked; built from the source distribution, as others get it."""
    folder = tmp_path_factory.mktemp('wheel')
    source = folder / 'checkout'
    source.mkdir()
    for name in BUILT_FROM:
        shutil.copy(ROOT / name, source)
    for name in ('bootmae_mm', 'configs', 'tools', 'requirements'):
        ignored = shutil.ignore_patterns('__pycache__')
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    code = 'import setuptools.build_meta as b; print(b.{})'
    for step, place in (('build_sdist(".")', source), ('build_wheel("..")', None)):
        if place is None:
            archive = next(source.glob('*.tar.gz'))
            shutil.unpack_archive(archive, folder, filter='data')
            place = folder / archive.name.removesuffix('.tar.gz')
        call = [sys.executable, '-c', code.format(step)]
        subprocess.run(call, cwd=place, check=True, capture_output=True)
    zipfile.ZipFile(next(folder.glob('*.whl'))).extractall(folder / 'site')
    return folder / 'site'


def files_of(folder: Path) -> set[str]:
    """Relative paths of all files but compiled ones."""
    paths = (path for path in folder.rglob('*') if path.is_file() and path.suffix != '.pyc')
    return {path.relative_to(folder).as_posix() for path in paths}


def test_a_wheel_has_what_mim_looks_for(wheel: Path) -> None:
    mim = wheel / 'bootmae_mm' / '.mim'
    assert files_of(mim / 'configs') == files_of(ROOT / 'configs')
    in_a_clone_only = {'setup_env.py', 'demo.py', 'metafiles.py', 'reproduce.py'}
    assert files_of(mim / 'tools') == files_of(ROOT / 'tools') - in_a_clone_only
    assert (mim / 'model-index.yml').read_text() == (ROOT / 'model-index.yml').read_text()


def test_a_wheel_has_the_package_and_nothing_beside_it(wheel: Path) -> None:
    package = wheel / 'bootmae_mm'
    found = {name for name in files_of(package) if not name.startswith('.mim/')}
    in_a_clone_only = ('studies/demo/', 'studies/reproduction/')
    expected = files_of(ROOT / 'bootmae_mm')
    assert found == {name for name in expected if not name.startswith(in_a_clone_only)}
    assert {path.name.partition('-')[0] for path in wheel.iterdir()} == {'bootmae_mm'}


@pytest.mark.long
def test_a_tool_of_the_wheel_runs_on_its_config(wheel: Path, tmp_path: Path) -> None:
    """With the wheel's package, from an empty folder: no file of the checkout is in reach."""
    (tmp_path / 'pictures').mkdir()
    code = (
        f'import sys; sys.path.insert(0, {str(wheel)!r}); import bootmae_mm.__main__ as command; '
        'assert "site" in command.__file__; '
        'command.main(["train", "pretrain/bootmae_vitb_800e.py", "--cfg-options", '
        '"train_dataloader.dataset.data_root=pictures"])'
    )
    result = subprocess.run(
        [sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True
    )
    # It went as far as to look at the data: the folder is empty.
    assert 'pictures' in result.stderr.splitlines()[-1], result.stderr


def test_check_data_finds_the_package_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    tool = wheel / 'bootmae_mm/.mim/tools/check_data.py'
    result = subprocess.run(
        [sys.executable, str(tool), 'images', 'nothing'],
        cwd=tmp_path, env={**os.environ, 'PYTHONPATH': str(wheel)}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 1, result.stderr
    assert 'ERROR Expected a folder' in result.stdout


@pytest.mark.long
def test_mim_trains_and_tests_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """OpenMMLab's own command, in a folder with nothing but data, finds configs by name."""
    write_dense_layouts(tmp_path / 'data/photos', 8, 4, size=32, seed=0)
    env = {**os.environ, 'PYTHONPATH': str(wheel), 'CUDA_VISIBLE_DEVICES': ''}

    def mim(*arguments: str) -> str:
        command = [sys.executable, '-m', 'mim', *arguments, '--cfg-options', *changes]
        result = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return result.stdout + result.stderr

    changes = ['train_dataloader.batch_size=4', 'custom_hooks.total_batch.total_batch_size=4']
    changes += ['train_cfg.max_iters=2', 'train_cfg.val_interval=2', 'param_scheduler.0.end=1']
    changes += ['param_scheduler.1.begin=1', 'param_scheduler.1.end=2', 'model.backbone.init_cfg=']
    changes += ['default_hooks.checkpoint.interval=2']
    trained = mim('train', 'bootmae_mm', 'photos_segment.py', '--gpus', '0', '--work-dir', 'run')
    assert str(wheel / 'bootmae_mm/.mim/configs/photos/photos_segment.py') in trained
    checkpoint = ['--checkpoint', 'run/iter_2.pth']
    tested = mim('test', 'bootmae_mm', 'photos_segment.py', *checkpoint, '--work-dir', 'test')
    found = [re.findall(r'mIoU: ([\d.]+)', text)[-1] for text in (trained, tested)]
    assert found[0] == found[1]


def make_place(folder: Path) -> Path:
    """A folder with four configs, two of them of the same name, and a tool."""
    for name in ('pretrain/one.py', 'seg/one.py', 'seg/two.py', 'seg/more/three.py'):
        path = folder / 'configs' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (folder / 'tools').mkdir()
    (folder / 'tools/say.py').write_text('import sys; print(*sys.argv)')
    return folder


@pytest.mark.parametrize('name', ['two', 'two.py', 'seg/two', 'seg/two.py', 'configs/seg/two.py'])
def test_a_config_is_found_by_the_end_of_its_path(name: str, tmp_path: Path) -> None:
    place = make_place(tmp_path)
    assert shipped.find_config(name, place) == str(place / 'configs/seg/two.py')


def test_a_file_that_is_there_goes_before_the_packages_config(tmp_path: Path, monkeypatch) -> None:
    place = make_place(tmp_path / 'package')
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'two.py').touch()
    assert shipped.find_config('two.py', place) == 'two.py'


@pytest.mark.parametrize(
    ('name', 'rest'),
    [
        ('pretrain/two.py', 'the nearest name is seg/two.py'),
        ('threee', 'the nearest name is seg/more/three.py'),
        ('ones.py', 'the nearest name is pretrain/one.py, seg/one.py'),
        ('seg/mores/thre.py', 'the nearest name is seg/more/three.py'),
        ('configs/seg/old/ones.py', 'the nearest name is pretrain/one.py, seg/one.py'),
        ('xyz', '.*configs has them'),
        ('', '.*configs has them'),
        ('..', '.*configs has them'),
    ],
)
def test_an_unknown_config_is_refused_with_the_nearest(name: str, rest: str, tmp_path: Path):
    with pytest.raises(ValueError, match=f"found .* '{re.escape(name)}'; {rest} .*docs/rep"):
        shipped.find_config(name, make_place(tmp_path))


def test_a_name_of_two_configs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'found several: pretrain/one.py, seg/one.py; give a'):
        shipped.find_config('one.py', make_place(tmp_path))


def test_every_config_has_a_name_of_its_own() -> None:
    """By which ``mim train bootmae_mm NAME.py`` finds it."""
    paths = (ROOT / 'configs').rglob('*.py')
    names = [path.name for path in paths if '_base_' not in path.parts]
    assert len(names) == len(set(names))


def test_the_installed_configs_go_before_a_checkouts(tmp_path: Path) -> None:
    package = tmp_path / 'bootmae_mm'
    with pytest.raises(ValueError, match='found neither; install bootmae-mm again'):
        shipped.folder(package)
    make_place(tmp_path)
    assert shipped.folder(package) == tmp_path
    make_place(package / '.mim')
    assert shipped.folder(package) == package / '.mim'


def test_the_command_runs_a_tool(tmp_path: Path, monkeypatch, capsys) -> None:
    place = make_place(tmp_path)
    monkeypatch.setattr(shipped, 'folder', lambda: place)
    monkeypatch.setattr(sys, 'argv', ['restored afterwards'])
    command.main(['say', 'two.py', '--other'])
    expected = [place / 'tools/say.py', 'two.py', '--other']
    assert capsys.readouterr().out.split() == list(map(str, expected))
    command.main(['where'])
    assert capsys.readouterr().out.strip() == str(place)
    command.main([])
    assert 'Tools: say.' in capsys.readouterr().out
    with pytest.raises(SystemExit, match="found 'sing'; choose one of say"):
        command.main(['sing'])


@pytest.mark.parametrize('name', ['bootmae_vitb_800e', 'bootmae_vitb_800'])
def test_a_tool_takes_a_config_by_its_name(name: str, monkeypatch, capsys) -> None:
    """From a folder without it; a wrong name is told with the nearest."""
    monkeypatch.setattr(sys, 'argv', ['restored afterwards'])
    with pytest.raises(SystemExit) as stop:
        command.main(['train', name, '--cfg-options', 'train_dataloader.dataset.data_root=none'])
    assert stop.value.code == 2
    *_, last = capsys.readouterr().err.splitlines()
    if name == 'bootmae_vitb_800e':  # it went as far as to look at the data
        assert last.startswith('train.py: error: Expected') and "at 'none'" in last
    else:
        assert 'the nearest name is pretrain/bootmae_vitb_800e.py (' in last


def test_where_prints_the_folder_and_nothing_else() -> None:
    """As `bash "$(python -m bootmae_mm where)"/tools/dist_train.sh` needs it."""
    line = [sys.executable, '-m', 'bootmae_mm', 'where']
    printed = subprocess.run(line, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert printed == f'{ROOT}\n'
