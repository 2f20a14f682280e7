"""Which hints a module of the checks may give, read off its source."""

import ast
from collections.abc import Iterator
from pathlib import Path

from labutils import checks


def hints_of(module: str) -> list[str]:
    """Every sentence in ``labutils/checks/MODULE.py`` that is a hint, or the last part of one.

    The rest is told by its place: docstrings, ideas, messages, errors; or by its form: what comes
    out (of a mistake), names and calls do not end like a sentence.
    """
    tree = ast.parse((Path(checks.__file__).parent / f"{module}.py").read_text("utf-8"))
    other = {id(inner) for node in ast.walk(tree) for part in _not_hints(node) for inner in part}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in other
        if len(node.value) > 20 and node.value.endswith((".", "?", ".)", "!"))
    ]


def _not_hints(node: ast.AST) -> Iterator[Iterator[ast.AST]]:
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
        yield ast.walk(node.body[0])
    if isinstance(node, ast.keyword) and node.arg == "idea":
        yield ast.walk(node.value)
    if isinstance(node, ast.Call):
        called = getattr(node.func, "id", "")
        if called == "Wrong":
            yield ast.walk(node.args[0])
        if called.endswith("Error"):
            yield ast.walk(node)
