"""The keywords that a class or function takes, also those that a subclass hands on to its bases."""

import ast
import inspect
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from functools import cache
from textwrap import dedent
from typing import get_type_hints

# Keeps the keywords that it does not know, and never reads them.
IGNORING = ('CheckpointHook.__init__',)
KEYWORD_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass
class Keywords:
    """What a class can be built with.

    Attributes:
        defaults: Default value by name; ``inspect.Parameter.empty`` for what has to be given.
        annotations: Annotated type by name, where there is one.
        opaque: Whether it takes other keywords as well, whose names are not known.
    """

    defaults: dict[str, object] = field(default_factory=dict)
    annotations: dict[str, object] = field(default_factory=dict)
    opaque: bool = False

    @property
    def required(self) -> list[str]:
        """Names without a default."""
        return [name for name, value in self.defaults.items() if value is inspect.Parameter.empty]


@cache
def keywords_of(kind: Callable) -> Keywords:
    """The keywords of a class, or of a function.

    A ``**kwargs`` that a constructor hands to ``super().__init__`` stands for the keywords of the
    next class of its MRO; one that it uses in another way makes the result opaque.
    """
    found = Keywords()
    if not isinstance(kind, type):
        _add(found, kind, skip=0)
        found.opaque = _variable_keyword(kind) is not None
        return found
    given, skip = set(), 1  # by a subclass, in its call of super().__init__: by name, by place
    for owner in kind.__mro__:
        init = vars(owner).get('__init__')
        if init is None:
            continue
        if init is object.__init__:
            break
        _add(found, init, skip, given)
        variable = _variable_keyword(init)
        if variable is None or init.__qualname__ in IGNORING:
            break
        forwarding = Forwarding(init, variable)
        found.opaque = not forwarding.understood
        found.defaults.update(dict.fromkeys(forwarding.taken))
        if found.opaque or not forwarding.forwards:
            break
        given |= forwarding.given
        skip = 1 + forwarding.num_positional
    return found


def _add(found: Keywords, function: Callable, skip: int, given: Set[str] = frozenset()) -> None:
    """Add the keywords of one function that are neither known nor ``given`` yet."""
    parameters = _parameters(function)
    if parameters is None:
        found.opaque = True
        return
    hints = _hints(function)
    for name, parameter in parameters[skip:]:
        if parameter.kind in KEYWORD_KINDS and name not in found.defaults and name not in given:
            found.defaults[name] = parameter.default
            if name in hints:
                found.annotations[name] = hints[name]


def _parameters(function: Callable) -> list[tuple[str, inspect.Parameter]] | None:
    try:
        return list(inspect.signature(function).parameters.items())
    except (TypeError, ValueError):  # written in C
        return None


def _hints(function: Callable) -> dict[str, object]:
    try:
        return get_type_hints(inspect.unwrap(function))
    except Exception:  # an annotation may name anything, also what is imported for type checkers
        return {}


def _variable_keyword(function: Callable) -> str | None:
    """The name of ``**kwargs``; None if there is none."""
    for name, parameter in _parameters(function) or ():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            return name
    return None


class Forwarding:
    """What a constructor does with its ``**kwargs``, from its source.

    Attributes:
        understood: It at most hands them to ``super().__init__`` once, and sets, reads or takes
            single ones of them by name; others have no effect.
        forwards: It hands them to ``super().__init__``.
        given: Names that it gives to ``super().__init__`` itself.
        num_positional: How many arguments it gives to it without a name.
        taken: Names that it reads out of them.
    """

    def __init__(self, init: Callable, variable: str) -> None:
        self.variable = variable
        self.given, self.taken, self.num_positional = set(), set(), 0
        try:
            tree = ast.parse(dedent(inspect.getsource(init)))
        except (OSError, TypeError, SyntaxError):
            self.understood = self.forwards = False
            return
        calls = [node for node in ast.walk(tree) if self._is_forwarding(node)]
        explained = {id(call_kw.value) for call in calls for call_kw in call.keywords}
        for call in calls:
            self.given |= {keyword.arg for keyword in call.keywords if keyword.arg}
            self.num_positional = sum(not isinstance(arg, ast.Starred) for arg in call.args)
        for node in ast.walk(tree):
            explained |= self._explain(node)
        uses = {id(node) for node in ast.walk(tree) if self._is_variable(node)}
        self.forwards = bool(calls)
        self.understood = len(calls) <= 1 and uses <= explained

    def _is_variable(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id == self.variable

    def _is_forwarding(self, node: ast.AST) -> bool:
        """Whether this is ``super().__init__(…, **kwargs)``."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return False
        owner = node.func.value
        is_super = isinstance(owner, ast.Call) and getattr(owner.func, 'id', None) == 'super'
        spread = any(k.arg is None and self._is_variable(k.value) for k in node.keywords)
        return is_super and node.func.attr == '__init__' and spread

    def _explain(self, node: ast.AST) -> set[int]:
        """Uses that leave the rest of the keywords alone: ``kwargs = {…, **kwargs}``, and a method
        or subscript with a literal name."""
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            targets = [target for target in node.targets if self._is_variable(target)]
            spread = [
                value
                for key, value in zip(node.value.keys, node.value.values, strict=True)
                if key is None and self._is_variable(value)
            ]
            return {id(part) for part in targets + spread} if targets and spread else set()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner, names = node.func.value, node.args[:1]
            literal = names and isinstance(names[0], ast.Constant)
            if self._is_variable(owner) and literal:
                if node.func.attr in ('get', 'pop'):
                    self.taken.add(names[0].value)
                return {id(owner)} if node.func.attr in ('get', 'pop', 'setdefault') else set()
        return set()
