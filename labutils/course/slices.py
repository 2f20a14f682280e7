"""Which statements of a notebook an answer needs: grading runs these and leaves out the rest."""

import ast
import symtable
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Statement:
    """One top-level statement: its text, the names it gives a value, and those it uses.

    ``defines`` is True for functions, classes and imports: they only take effect when called.
    """

    source: str
    binds: frozenset[str]
    uses: frozenset[str]
    defines: bool


def statements(source: str) -> list[Statement] | None:
    """The top-level statements of a code cell; None where it is not Python."""
    from IPython.core.inputtransformer2 import TransformerManager

    first, _, rest = source.lstrip().partition("\n")
    if first.split(" ")[0] in ("%%time", "%%timeit", "%%capture"):
        source = rest
    try:
        source = TransformerManager().transform_cell(source)  # %magic and !command lines
        nodes = ast.parse(source).body
        lines = source.splitlines()
        return [_statement(node, lines) for node in nodes]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _statement(node: ast.stmt, lines: list[str]) -> Statement:
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    whole = "\n".join(lines[first - 1 : node.end_lineno])
    # `a = 1; b = 2` are two statements of one line: then the text comes from the tree.
    try:
        alone = len(ast.parse(whole).body) == 1
    except SyntaxError:
        alone = False
    text = whole if alone else ast.unparse(node)
    top = symtable.symtable(text, "cell", "exec")
    binds = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    star = isinstance(node, ast.ImportFrom) and any(a.name == "*" for a in node.names)
    return Statement(
        text,
        frozenset({"*"} if star else binds),
        frozenset(_used(top, at_top=True)),
        isinstance(node, _DEFINITIONS),
    )


def _used(table: symtable.SymbolTable, at_top: bool) -> set[str]:
    """Global names that this scope and those inside it refer to."""
    own = {
        s.get_name() for s in table.get_symbols() if s.is_referenced() and (at_top or s.is_global())
    }
    return own.union(*(_used(child, at_top=False) for child in table.get_children()))


def needed(pool: Sequence[Statement], names: Iterable[str]) -> list[Statement]:
    """Those of ``pool``, in order, that give the ``names`` their values, directly or not."""
    wanted = {*names, "*"}
    chosen: set[int] = set()
    grown = True
    while grown:
        grown = False
        for number, statement in enumerate(pool):
            if number not in chosen and statement.binds & wanted:
                chosen.add(number)
                wanted |= statement.uses
                grown = True
    return [pool[number] for number in sorted(chosen)]
