"""Values of a config file that mmengine wrote, read without running it."""

import ast
from typing import Any


def read_settings(text: str) -> dict[str, Any]:
    """The assignments of a config whose values are literals, or ``dict(...)`` of them.

    A part that is anything else becomes its source text. No settings come of a text that is no
    Python, such as a file that was not written to its end.
    """
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError):
        return {}
    return {
        target.id: _value(statement.value)
        for statement in statements
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        return {keyword.arg: _value(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {_value(key): _value(value) for key, value in pairs if key is not None}
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item) for item in node.elts]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def setting(settings: dict[str, Any], *keys: str) -> Any:
    """A nested value, None where there is none."""
    value: Any = settings
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
