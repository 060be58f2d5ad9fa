"""The image's recipe, where there is no engine to build it: its steps are make's, which are tested,
and what it copies and calls is there."""

import re

from tests.helpers.paths import ROOT

LINES = (ROOT / 'Dockerfile').read_text().replace('\\\n', ' ').splitlines()


def steps(kind: str) -> list[str]:
    return [line.partition(' ')[2] for line in LINES if line.startswith(f'{kind} ')]


def test_it_is_set_up_by_make() -> None:
    system, setup = steps('RUN')
    assert system.startswith('apt-get update')
    words = setup.split()
    target = words[words.index('make') + 1]
    makefile = (ROOT / 'Makefile').read_text()
    assert re.search(rf'^{target}:', makefile, re.MULTILINE)
    given = [word.partition('=')[0] for word in words[words.index('make') + 2 :]]
    assert [name for name in given if not re.search(rf'^{name} \?=', makefile, re.MULTILINE)] == []


def test_every_argument_is_used_and_every_variable_is_one() -> None:
    named = {line.partition('=')[0] for line in steps('ARG')}
    used = set(re.findall(r'\$\{?([A-Z_]+)', '\n'.join(x for x in LINES if not x.startswith('#'))))
    assert named == used
    shown = re.findall(r'--build-arg ([A-Z_]+)=', (ROOT / 'Dockerfile').read_text())
    assert {*shown} <= named


def test_it_runs_the_package_in_the_environment_of_make() -> None:
    (folder,), (entry,) = steps('WORKDIR'), steps('ENTRYPOINT')
    assert entry == f'["{folder}/.venv/bin/python", "-m", "bootmae_mm"]'


def test_what_a_checkout_gathers_is_left_out() -> None:
    ignored = (ROOT / '.dockerignore').read_text().split()
    assert {'.git', '.venv', 'data', 'work_dirs'} <= {*ignored}
