"""Which statements of a notebook an answer needs: grading runs these and leaves out the rest."""

import ast
import re
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
    """Return the top-level statements of a code cell; None where it is not Python.

    Of a cell with a magic of its own (``%%time``, ``%%writefile``) what stands below counts.
    """
    from IPython.core.inputtransformer2 import TransformerManager

    while source.lstrip().startswith("%%"):
        source = source.lstrip().partition("\n")[2]
    try:
        source = TransformerManager().transform_cell(source)  # %magic and !command lines
        nodes = ast.parse(source).body
        lines = re.split(r"\r\n|\r|\n", source)  # splitlines() knows more ends than Python has
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
    scope = _Scope()
    scope.visit(node)
    return Statement(
        whole if alone else ast.unparse(node),
        frozenset(scope.binds),
        frozenset(scope.uses | scope.free),
        isinstance(node, _DEFINITIONS),
    )


class _Scope(ast.NodeVisitor):
    """The names of one scope, read off the syntax tree, which is the same for every Python.

    Attributes:
        binds: names that it gives a value.
        uses: names that it looks up itself.
        free: names that functions and the like inside it look up outside of themselves.
    """

    _NAMES = {
        "FunctionDef": "name", "AsyncFunctionDef": "name", "ClassDef": "name", "arg": "arg",
        "ExceptHandler": "name", "MatchAs": "name", "MatchStar": "name", "MatchMapping": "rest",
        "TypeVar": "name", "ParamSpec": "name", "TypeVarTuple": "name",
    }  # fmt: skip

    def __init__(self, outside: Iterable[ast.AST] = ()):
        self.binds, self.uses, self.free = set(), set(), set()
        self._declared = set()  # global or nonlocal
        self._outside = set(outside)

    def visit(self, node: ast.AST) -> None:
        if node in self._outside:
            return
        if name := getattr(node, self._NAMES.get(type(node).__name__, ""), None):
            self.binds.add(name)
        super().visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        (self.uses if isinstance(node.ctx, ast.Load) else self.binds).add(node.id)

    def visit_alias(self, node: ast.alias) -> None:
        self.binds.add(node.asname or node.name.partition(".")[0])

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> None:
        self._declared.update(node.names)

    visit_Nonlocal = visit_Global

    def visit_FunctionDef(self, node) -> None:
        """A function, class, lambda or comprehension: a scope inside this one."""
        outside = list(self._looked_up_outside(node))
        for part in outside:
            self.visit(part)
        inner = _Scope(outside)
        inner.generic_visit(node)
        if isinstance(node, ast.ClassDef):  # its methods do not see its names
            self.free |= inner.uses - inner.binds | inner.free
        else:
            self.free |= (inner.uses | inner.free) - inner.binds | inner._declared

    visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = visit_FunctionDef
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_FunctionDef

    @staticmethod
    def _looked_up_outside(node) -> Iterable[ast.AST]:
        for field in ("decorator_list", "bases", "keywords"):
            yield from getattr(node, field, [])
        if hasattr(node, "args"):
            yield from filter(None, [*node.args.defaults, *node.args.kw_defaults])
        if hasattr(node, "generators"):
            yield node.generators[0].iter
            # `:=` gives its value to a name of the scope around.
            yield from (n.target for n in ast.walk(node) if isinstance(n, ast.NamedExpr))


def needed(pool: Sequence[Statement], names: Iterable[str]) -> list[Statement]:
    """Return those of ``pool``, in order, that give ``names`` their values, directly or not."""
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
