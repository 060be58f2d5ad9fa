"""The commands that the documentation has users type: their tools, options and files are there."""

import importlib.util
import re
from pathlib import Path

import pytest

from tests.helpers.paths import PAGES, ROOT

PROGRAM = re.compile(r'\b(?:tools|benchmarks)/[\w/]+\.(?:py|sh)\b')
MODULE = re.compile(r'\bpython -m bootmae_mm (?!where)([a-z]+)')
OPTION = re.compile(r'(?<![\w-])--[a-z][a-z-]*')
FILE = re.compile(r'(?<![\w./])(?:configs|tests|tools|benchmarks|requirements)/[\w./-]*\.\w+')
SUBCOMMANDS = {
    'tools/reproduce.py': ('list', 'plan', 'run', 'pages'),
    'tools/visualize.py': ('model', 'masks'),
}


def commands(page: str) -> list[str]:
    """Lines of code blocks, fenced or indented, and code in the text; continued lines are one."""
    fenced = re.findall(r'^```(?:bash)?\n(.*?)^```', page, re.MULTILINE | re.DOTALL)
    indented = re.findall(r'^    \S.*', page, re.MULTILINE)
    inline = re.findall(r'(?<!`)`([^`\n]+)`(?!`)', page)
    joined = '\n'.join([*fenced, *indented, *inline]).replace('\\\n', ' ')
    joined = MODULE.sub(r'tools/\1.py', joined)
    return [line.partition('  #')[0] for line in joined.splitlines()]


def calls(pages: list[Path]) -> dict[str, set[str]]:
    """Options that the pages give each program."""
    found: dict[str, set[str]] = {}
    for page in pages:
        for line in commands(page.read_text()):
            if match := PROGRAM.search(line):
                options = OPTION.findall(line[match.end() :])
                found.setdefault(match[0], set()).update(options)
    return found


CALLS = calls(PAGES)
WITH_OPTIONS = sorted(name for name, options in CALLS.items() if options and name.endswith('.py'))


def help_of(program: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a program says of itself and its subcommands."""
    path = ROOT / program
    monkeypatch.syspath_prepend(path.parent)  # where a program that is run finds its neighbours
    spec = importlib.util.spec_from_file_location(f'documented_{path.stem}', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    read = getattr(module, 'parse_args', module.main)
    for words in [[], *([name] for name in SUBCOMMANDS.get(program, ()))]:
        with pytest.raises(SystemExit) as ended:
            read([*words, '--help'])
        assert ended.value.code == 0
    return capsys.readouterr().out


def test_pages_and_their_commands_are_found() -> None:
    assert {'tools/dist_train.sh', 'tools/train.py', 'tools/reproduce.py'} <= CALLS.keys()
    assert {'--budget', '--seeds', '--jobs', '--data'} <= CALLS['tools/reproduce.py']


@pytest.mark.parametrize('program', WITH_OPTIONS)
def test_a_program_has_the_options_that_the_pages_give_it(
    program: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = set(OPTION.findall(help_of(program, capsys, monkeypatch)))
    assert CALLS[program] <= known


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_in_commands_are_there(page: Path) -> None:
    lines = [line.replace('CONFIG.py', '') for line in commands(page.read_text())]
    named = {name for line in lines for name in FILE.findall(line)}
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_command_reaches_into_a_tool(page: Path) -> None:
    """Users call tools by their options, which are tested here, not by functions inside them."""
    assert [line for line in commands(page.read_text()) if 'sys.path' in line] == []
