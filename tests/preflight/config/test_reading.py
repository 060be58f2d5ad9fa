"""What is wrong in a config of one's own is one sentence with its file and line."""

import inspect
import os
import sys

import pytest

from bootmae_mm.preflight.config.reading import read_config
from tests.helpers.data_cases import assert_one_sentence

BASE = """
train_pipeline = [dict(type='Crop')]
custom_hooks = dict(a=dict(type='A'))
model = dict(backbone=dict(arch='base', init_cfg=None))
"""
ON_BASE = "_base_ = ['base.py']\n"
# Text of mine.py, and what is said of it: a place, and what to do.
MISTAKES = {
    'a dict over a name': (
        ON_BASE + 'model = dict(\n    backbone=dict(\n        arch=dict(depth=2)))',
        r"model.backbone.arch in 'mine.py', line 4, .* a str there \('base'\).*dict\(_delete_=True",
    ),
    'a dict over None, from a variable': (
        ON_BASE + "init = dict(type='X')\nmodel = dict(backbone={'init_cfg': init})",
        "model.backbone.init_cfg in 'mine.py', line 3, .* has nothing there",
    ),
    'an unknown name': (
        ON_BASE + 'size = 2\nloader = dict(batch_size=sizes)',
        r"runs in 'mine.py', line 3, found 'loader = .*sizes\)' \(NameError.*\); write 'size'\.",
    ),
    "a base's name": (
        ON_BASE + 'mine = train_pipeline', r"'mine.py', line 2, .*; write _base_.train_pipeline\.",
    ),
    'a variable that the base has not': (
        ON_BASE + 'hooks = _base_.custom_hook', r"'mine.py', line 2, .*; write 'custom_hooks'\.",
    ),
    'a key that the base has not': (
        ON_BASE + "\nx = _base_['modell']", r"'mine.py', line 3, .*KeyError: .*; write 'model'\.",
    ),
    'a key below that is not there': (
        ON_BASE + 'x = _base_.model.backbon', r"'mine.py', line 2, .*; write 'backbone'\.",
    ),
    'a placeholder that the base has not': (
        ON_BASE + 'x = {{_base_.modell}}', "_base_ in 'mine.py', line 2, found 'modell'",
    ),
    'a hook by its number': (
        ON_BASE + 'hooks = _base_.custom_hooks\nhooks[0].update(limit=1)',
        r"'mine.py', line 3, .*KeyError: 0\); .*custom_hooks = dict\(NAME=",
    ),
    'two bases with one key': (
        "\n_base_ = ['base.py',\n'other.py']", "_base_ of 'mine.py', line 2, found model in more",
    ),
    'an import': (
        ON_BASE + 'import nowhere', "'mine.py', line 2, .*No module named 'nowhere'.*PYTHONPATH",
    ),
    'a custom import': (
        "a = 1\ncustom_imports = dict(imports=['nowhere.else'], allow_failed_imports=False)",
        "custom_imports of 'mine.py', line 2, .*No module named 'nowhere'",
    ),
    'a fault in a module of ones own': (
        "import sys\nsys.path.insert(0, '.')\ncustom_imports = dict(imports=['faulty_module'])",
        r"custom_imports of 'mine.py', line 3, .*ZeroDivisionError.* in 'faulty_module.py', line 2",
    ),
    'a fault': (ON_BASE + 'x = 1 / 0', r"'mine.py', line 2, found 'x = 1 / 0' \(ZeroDivisionError"),
    'a file that it reads': (
        ON_BASE + "x = open('names.txt').read()", "'mine.py', line 2, .*FileNotFoundError.*names",
    ),
    'a syntax error': (
        'a = 1\nb = dict(', r"Python in 'mine.py', line 2, found 'b = dict\(' .*never closed",
    ),
    'tabs': ('if True:\n\tx = 1\n        y = 2', "'mine.py', line 3, .*use of tabs and spaces"),
    'a base with a syntax error': ("_base_ = 'broken.py'", "in 'broken.py', line 1, found 'c = ='"),
    'a base with a fault': ("_base_ = 'fault.py'", "runs in 'fault.py', line 2, found 'x = y'"),
    'a missing base': (
        "\n_base_ = ['base.py', 'gone.py']", "_base_ of 'mine.py', line 2, .*missing, '.*gone.py'",
    ),
    'a base that is a folder': ("_base_ = ['folder']", "_base_ of 'mine.py', line 1, .*folder"),
    'a base that is no config': ("_base_ = 'read.md'", "found 'read.md', on which 'mine.py', line"),
    'bases that are no text': ('_base_ = [a]', "_base_ of 'mine.py', line 1, .*NameError.*as text"),
    'its own base': ("_base_ = ['mine.py']", "a circle: 'mine.py'; correct _base_"),
    'a base on top of it': ("_base_ = ['circle.py']", "a circle: 'mine.py', 'circle.py'; correct"),
    'no UTF-8': ('x = "\udce4"', "a config, found 'mine.py' .UnicodeDecodeError"),
}  # fmt: skip
FILES = {
    'base.py': BASE, 'other.py': "model = 'another'", 'broken.py': 'c = =', 'fault.py': '\nx = y',
    'read.md': '# T', 'circle.py': "_base_ = ['mine.py']", 'faulty_module.py': '\nx = 1 / 0',
    'a.json': '{"a": 1', 'a.yaml': 'a: [1',
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with files for configs to be based on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'path', [*sys.path])
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / 'folder').mkdir()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 200)  # a circle is told of sooner
    yield tmp_path
    sys.setrecursionlimit(limit)


@pytest.mark.parametrize('case', MISTAKES)
def test_a_mistake_is_told_with_its_file_and_line(case, folder):
    text, sentence = MISTAKES[case]
    (folder / 'mine.py').write_text(text, errors='surrogateescape')
    with pytest.raises(ValueError) as caught:
        read_config('mine.py')
    assert_one_sentence(caught.value, f'Expected .*{sentence}')
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('name', 'sentence'),
    [
        *(('a.json', 'a config, found .a.json'), ('a.yaml', 'a config, found .a.yaml')),
        *(('read.md', 'a config, found .read.md'), ('gone.py', "found no file, 'gone.py'")),
        ('folder', "found a folder, 'folder'"),
    ],
)
def test_a_file_that_is_no_config(name, sentence, folder):
    with pytest.raises(ValueError) as caught:
        read_config(name)
    assert_one_sentence(caught.value, f'Expected .*{sentence}')
    assert '\n' not in str(caught.value)


def test_a_dict_with_delete_replaces_a_name_as_the_sentence_says(folder):
    name = os.path.join('folder', 'ä b.py')
    (folder / name).write_text(
        "_base_ = '../base.py'\nmodel = dict(backbone=dict(arch=dict(_delete_=True, depth=2)))"
    )
    assert read_config(name).model.backbone.arch == dict(depth=2)
