"""The plan of the house: which wing may import which, and what importing costs."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootmae_mm.registration import MODULES
from tests.helpers.conversion_data import pretraining_file
from tests.helpers.paths import ROOT

PACKAGE = ROOT / 'bootmae_mm'
CORE = ('checkpoint', 'convert', 'data', 'encoder', 'engine', 'pretrain', 'transfer')
AROUND_A_RUN = ('monitors', 'preflight', 'reports', 'visualization')
APPLICATIONS = (
    '__init__', '__main__', 'command_line', 'commands', 'evaluation', 'registration', 'shipped',
    'studies', 'training',
)  # fmt: skip
# What each wing imports; the applications may import all of them.
ALLOWED = {
    'checkpoint': (),
    'data': (),
    'encoder': ('checkpoint',),
    'engine': ('checkpoint',),
    'pretrain': ('encoder', 'engine'),
    'transfer': ('encoder', 'engine'),
    'convert': ('checkpoint', 'encoder', 'pretrain', 'transfer'),
    'preflight': ('checkpoint', 'data', 'encoder', 'engine', 'pretrain'),
    'reports': ('engine',),
    'monitors': ('data', 'encoder', 'engine', 'preflight', 'pretrain', 'transfer'),
    'visualization': ('checkpoint', 'data', 'encoder', 'engine', 'pretrain', 'reports'),
}


def module_of(path: Path) -> str:
    """Dotted name below the package."""
    return '.'.join(path.relative_to(PACKAGE).with_suffix('').parts).removesuffix('.__init__')


def imports(path: Path) -> Iterator[str]:
    """What a file imports of the package, also late: dotted names below the package."""
    package = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = package[: len(package) - node.level + 1]
            base = '.'.join([*above, *filter(None, [node.module])])
            yield from (f'{base}.{alias.name}'.lstrip('.') for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.module.startswith('bootmae_mm'), f'not relative in {path}'


def wing(name: str) -> str:
    return name.partition('.')[0]


def test_every_folder_and_file_has_its_place_in_the_plan():
    found = {p.stem for p in PACKAGE.iterdir() if p.suffix == '.py' or (p / '__init__.py').exists()}
    assert found == {*CORE, *AROUND_A_RUN, *APPLICATIONS, 'version'} and ALLOWED.keys() == {
        *CORE, *AROUND_A_RUN,
    }  # fmt: skip
    folders = {path.parent for path in PACKAGE.rglob('*.py')}
    assert all((folder / '__init__.py').exists() for folder in folders)  # or the wheel lacks it


@pytest.mark.parametrize('name', ALLOWED)
def test_a_wing_imports_what_the_plan_allows_and_no_more(name):
    arrows = {wing(t) for path in (PACKAGE / name).rglob('*.py') for t in imports(path)}
    assert arrows - {name, 'version'} == {*ALLOWED[name]}


def test_the_core_imports_nothing_that_is_around_a_run():
    assert not {t for name in CORE for t in ALLOWED[name]} - {*CORE}
    assert not {t for targets in ALLOWED.values() for t in targets} & {*APPLICATIONS}


def circle(arrows: dict[str, set[str]]) -> set[str]:
    """What remains when everything is taken away that imports nothing any more."""
    left = {name: set(targets) for name, targets in arrows.items()}
    while free := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in free:
            del left[name]
    return set(left)


def test_there_is_no_circle_of_wings_nor_of_files():
    assert circle({'a': {'b'}, 'b': {'c'}, 'c': {'b'}, 'd': set()}) == {'a', 'b', 'c'}
    assert not circle({name: set(targets) for name, targets in ALLOWED.items()})
    modules = {module_of(path): path for path in PACKAGE.rglob('*.py')}
    arrows = {
        name: {t if t in modules else t.rpartition('.')[0] for t in imports(path)} - {name, ''}
        for name, path in modules.items()
    }
    assert not circle(arrows)


def test_everything_that_registers_is_in_the_list():
    """What measures for the planner registers a part for its own use, where it is used."""
    registering = {
        module_of(path)
        for path in PACKAGE.rglob('*.py')
        if '@' in path.read_text() and '.register_module(' in path.read_text()
    }
    assert registering - {'preflight.planning.measuring'} == {*MODULES}
    assert list(MODULES) == sorted(MODULES)


def python(code: str) -> str:
    command = [sys.executable, '-c', code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    'name', ['bootmae_mm', 'bootmae_mm.reports.run.page', 'bootmae_mm.preflight.data.coco']
)
def test_what_is_light_draws_in_no_pytorch(name):
    heavy = python(f'import sys, {name}; print({{"torch", "mmengine", "mmcv"}} & {{*sys.modules}})')
    assert heavy == 'set()\n'


def test_the_package_registers_when_a_config_imports_it():
    """After mmengine, as from ``custom_imports``, or PyTorch; alone it does not."""
    code = 'import sys, {}; print("bootmae_mm.pretrain.bootmae" in sys.modules)'
    assert python(code.format('mmengine, bootmae_mm')).endswith('True\n')
    assert python(code.format('torch, bootmae_mm, mmengine')).endswith('True\n')
    assert python(code.format('bootmae_mm, mmengine')) == 'False\n'


@pytest.mark.parametrize('tool', sorted(path.stem for path in (ROOT / 'tools').glob('*.py')))
def test_help_and_a_wrong_option_come_before_anything_slow_is_imported(tool):
    code = (
        'import runpy, sys\n'
        'for option in ("--help", "--no-such-option"):\n'
        f'    sys.argv = ["{tool}", option]\n'
        '    try:\n'
        f'        runpy.run_path("tools/{tool}.py", run_name="__main__")\n'
        '    except SystemExit as end:\n'
        '        print("\\nends", end.code, "torch" in sys.modules)\n'
    )
    ends = [line for line in python(code).splitlines() if line.startswith('ends')]
    assert ends == ['ends 0 False', 'ends 2 False']


@pytest.mark.parametrize('tool', ['convert', 'check_parity'])
def test_a_tool_that_reads_no_config_knows_what_it_builds(tool, tmp_path):
    """In a process of its own: here everything is registered."""
    arguments = [
        f'tests/golden/{name}_tiny.npz' for name in ('bootmae', 'finetune', 'seg_backbone')
    ]
    if tool == 'convert':
        source = pretraining_file(tmp_path)
        arguments = [source, str(tmp_path / 'release.pth'), '--to', 'release', '--num-heads', '3']
    command = [sys.executable, f'tools/{tool}.py', *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_test_module_imports_another():
    paths = [path for path in (ROOT / 'tests').rglob('*.py') if path.name != '__init__.py']
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text()))]
    names = [node.module or '' for node in nodes if isinstance(node, ast.ImportFrom)]
    assert len(names) > 300
    assert not [name for name in names if name.rpartition('.')[2].startswith('test_')]
