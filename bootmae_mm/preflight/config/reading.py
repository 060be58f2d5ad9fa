"""Reading a config's file, and a sentence with file and line for what is wrong in it."""

import ast
import os
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from mmengine.config import Config
from mmengine.config import config as mmengine_config

from .nearest import nearest

# Functions of mmengine that read the file ``filename``, or one that it is based on.
READERS = ('fromfile', '_file2dict', '_is_lazy_import', '_parse_lazy_import')
HOOKS_BY_NAME = 'hooks go by name: custom_hooks = dict(NAME=dict(…))'


def read_config(path: str) -> Config:
    """The config in a file.

    Raises:
        ValueError: If it cannot be read, whatever the reason: a config is Python and may do
            anything.
    """
    try:
        return Config.fromfile(path)
    except Exception as error:
        raise ValueError(' '.join(Failure(error, path).sentence().split())) from error


class Failure:
    """An error while a config was read, and how far the reading had come.

    Attributes:
        chain: The error, and those that led to it.
        frames: Frames and lines of the error, outermost first.
        files: The config, the one that it is based on that was being read, and so on.
        in_a_circle: Whether one of them was being read again.
    """

    def __init__(self, error: Exception, path: str) -> None:
        self.error, self.chain = error, list(_chain(error))
        self.frames = _frames(error)
        # Each once: where mmengine raises an error again, its frame is there twice.
        readers = list(dict.fromkeys(frame for frame, _ in self.frames if _is_reader(frame)))
        read = [path, *(frame.f_locals['filename'] for frame in readers)]
        self.files = list(dict.fromkeys(os.path.abspath(os.path.expanduser(name)) for name in read))
        depth = sum(frame.f_code.co_name == '_file2dict' for frame in readers)
        self.in_a_circle = depth > len(self.files)

    def sentence(self) -> str:
        """What was expected, what was found and where, and what to do."""
        if self.in_a_circle:
            return (
                f'Expected configs that end in one without _base_, found a circle: '
                f'{", ".join(map(shown, self.files))}; correct _base_ in one.'
            )
        if isinstance(self.error, SyntaxError):
            return self._syntax()
        running = [
            (frame, line)
            for frame, line in self.frames
            if os.path.abspath(frame.f_code.co_filename) in self.files
        ]
        if running:
            return self._running(*running[-1])
        functions = {f.f_code.co_name for e in self.chain for f, _ in _frames(e)}
        if 'import_modules_from_strings' in functions:
            return self._custom_imports()
        if '_substitute_base_vars' in functions and isinstance(self.error, KeyError):
            return self._no_base_variable(self.error.args[0])
        if '_merge_a_into_b' in functions and isinstance(self.error, TypeError):
            return self._dict_over_another()
        inner = [frame.f_locals for frame, _ in self.frames if _is_reader(frame)]
        if isinstance(self.error, KeyError) and inner and inner[-1].get('duplicate_keys'):
            return self._two_bases(inner[-1]['duplicate_keys'])
        return self._no_config()

    def _syntax(self) -> str:
        error = self.error
        name = error.filename if os.path.isfile(error.filename or '') else self.files[-1]
        line = (error.text or '').strip()
        return (
            f'Expected Python in {place(name, error.lineno)}, found {line!r} ({error.msg}); '
            'correct it.'
        )

    def _running(self, frame: FrameType, line: int) -> str:
        """An error in what a config does."""
        name = os.path.abspath(frame.f_code.co_filename)
        source = Path(name).read_text(encoding='utf-8').splitlines()[line - 1].strip()
        return (
            f'Expected Python that runs in {place(name, line)}, found {source!r} '
            f'({self._cause()}); {self._advice(frame)}.'
        )

    def _cause(self) -> str:
        """The first error of those that led to this one; with its place if in a user's module."""
        error = self.chain[-1]
        frame, line = _frames(error)[-1]
        name = os.path.abspath(frame.f_code.co_filename)
        where = f' in {place(name, line)}' if _is_users(name) and name not in self.files else ''
        return f'{type(error).__name__}: {error}{where}'

    def _advice(self, frame: FrameType) -> str:
        error, base = self.error, frame.f_globals.get('_base_') or {}
        name = getattr(error, 'name', None)
        if isinstance(error, ImportError):
            return 'install it, or name its folder in PYTHONPATH'
        if isinstance(error, NameError):
            if name in base:
                return f'write _base_.{name}'
            known = [key for key in frame.f_globals if not key.startswith('__')]
            near = nearest(name or '', known)
            return f'write {near!r}' if near else 'define it, or write its value'
        if isinstance(error, AttributeError | KeyError):
            missing = name or error.args[0]
            if isinstance(missing, int):
                return f'correct it ({HOOKS_BY_NAME})'
            owner = getattr(error, 'obj', None)
            owner = owner if isinstance(owner, dict) else base
            near = nearest(str(missing), map(str, owner))
            return f'write {near!r}' if near else 'correct it'
        return 'correct it'

    def _custom_imports(self) -> str:
        line = line_of(self.files[0], ['custom_imports'])
        return (
            f'Expected modules that can be imported as custom_imports of '
            f'{place(self.files[0], line)}, found one that cannot ({self._cause()}); correct it, '
            'or name its folder in PYTHONPATH.'
        )

    def _dict_over_another(self) -> str:
        merges = [f for f, _ in self.frames if f.f_code.co_name == '_merge_a_into_b']
        keys = [frame.f_locals['k'] for frame in merges]
        base = merges[-1].f_locals['b'][keys[-1]]
        kind = 'nothing' if base is None else f'a {type(base).__name__}'
        return (
            f'Expected no dict as {".".join(map(str, keys))} in '
            f'{place(self.files[-1], line_of(self.files[-1], keys))}, as the config that it is '
            f'based on has {kind} there ({base!r:.60}), found one; write dict(_delete_=True, …), '
            'which replaces that.'
        )

    def _two_bases(self, keys: Sequence[str]) -> str:
        return (
            f'Expected bases without common keys as _base_ of {self._base_line(-1)}, found '
            f'{", ".join(sorted(keys))} in more than one; leave a base out (another may be based '
            'on it already), or move these keys into a base of both.'
        )

    def _no_base_variable(self, name: str) -> str:
        text = Path(self.files[-1]).read_text(encoding='utf-8').splitlines()
        line = next((i for i, row in enumerate(text, 1) if f'_base_.{name}' in row), None)
        return (
            f'Expected variables of the bases behind _base_ in {place(self.files[-1], line)}, '
            f'found {name!r}, which they do not have; correct it.'
        )

    def _no_config(self) -> str:
        """A file that is missing, is none, or is malformed."""
        name, is_base = self.files[-1], len(self.files) > 1
        if is_base and not os.path.isfile(name):
            return (
                f'Expected a file for all in _base_ of {self._base_line(-2)}, found one missing, '
                f'{name!r}; correct _base_.'
            )
        if not os.path.isfile(name):
            kind = 'a folder' if os.path.isdir(name) else 'no file'
            return f'Expected the file of a config, found {kind}, {shown(name)}; name a file.'
        role = f', on which {self._base_line(-2)} is based' if is_base else ''
        functions = {frame.f_code.co_name for frame, _ in self.frames}
        if name.endswith('.py') and functions & {'_get_base_files', '_get_cfg_path'}:
            return (
                f'Expected paths of configs as _base_ of {self._base_line(-1)}, found others '
                f'({self._cause()}); write them as text.'
            )
        return (
            f'Expected a config, found {shown(name)}{role} ({self._cause()}); give a .py, .json or '
            '.yaml file, and correct what is in it.'
        )

    def _base_line(self, index: int) -> str:
        name = self.files[index]
        return place(name, line_of(name, ['_base_']))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, what it was raised from, and so on; of imports also what they failed in."""
    while error is not None:
        yield error
        failed = error.__context__ if isinstance(error, ImportError) else None
        error = error.__cause__ or failed


def _frames(error: BaseException) -> list[tuple[FrameType, int]]:
    return list(traceback.walk_tb(error.__traceback__))


def _is_reader(frame: FrameType) -> bool:
    code = frame.f_code
    return code.co_name in READERS and code.co_filename == mmengine_config.__file__


def _is_users(name: str) -> bool:
    """Whether a file is neither Python's nor an installed package's."""
    installed = {sysconfig.get_path(key) for key in ('stdlib', 'platstdlib', 'purelib', 'platlib')}
    return os.path.isfile(name) and not any(Path(name).is_relative_to(path) for path in installed)


def shown(name: str) -> str:
    """A path as one would type it."""
    near = os.path.relpath(name)
    return repr(name if near.startswith('..') else near)


def place(name: str, line: int | None) -> str:
    """A file, and a line where there is one."""
    return shown(name) + (f', line {line}' if line else '')


def assignments(name: str) -> dict[str, ast.Assign]:
    """The last assignment to each name at the top of a config; empty if it is no Python."""
    try:
        tree = ast.parse(Path(name).read_text(encoding='utf-8'))
    except (SyntaxError, ValueError):
        return {}
    return {
        target.id: node
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def line_of(name: str, keys: Sequence) -> int | None:
    """The line in which a config has a key, as far down as it is written out there."""
    node = assignments(name).get(keys[0])
    if node is None:
        return None
    line, value = node.lineno, node.value
    for key in keys[1:]:
        inner = _written_keys(value).get(key)
        if inner is None:
            break
        line, value = inner
    return line


def _written_keys(node: ast.AST) -> dict[str, tuple[int, ast.AST]]:
    """Line and value of every key of ``dict(…)`` or ``{…}``."""
    if isinstance(node, ast.Call):
        return {word.arg: (word.lineno, word.value) for word in node.keywords}
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {k.value: (k.lineno, v) for k, v in pairs if isinstance(k, ast.Constant)}
    return {}
