"""From what a student handed in to a notebook that can be graded.

The grading notebook is made from the released one: its check cells and helpers are the original
ones, whatever the student did to them. Of the student's notebook come the answers, found by
their grade_id or, where the metadata was lost, by the name that they define, and those of the
student's own statements that the answers use. Nothing else is run, no training above all.
"""

import re
from dataclasses import dataclass, field

from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from labutils.course.slices import Statement, needed, statements

_BEGIN = "from labutils.course.kernel import begin_check, end_check\n\ncheck = begin_check()"
_SUSPICIOUS = re.compile(
    r"EXERCISES|\.oracle\b|labutils\.(checks|course)|begin_check|end_check|check\.results"
    r"|check\._|NBGRADER_EXECUTION|sys\.modules"
)


# A student's cells that are code, by their place, with their statements.
_Cells = dict[int, tuple[NotebookNode, list[Statement] | None]]


@dataclass
class Rebuilt:
    """The notebook to grade, and how it came about.

    Attributes:
        notebook: imports and helpers, answer and check of each exercise. The ids of its cells are
            ``answer-NAME-0`` and so on, ``check-NAME`` and ``result-NAME``.
        answers: index of each exercise's cell in the submission; None where there is none.
        notes: what was put right, for the record.
        look: what a person should look at.
    """

    notebook: NotebookNode
    answers: dict[str, int | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    look: list[str] = field(default_factory=list)


def grade_id(cell) -> str:
    """The cell's nbgrader id; empty where it has none."""
    meta = cell.get("metadata", {}).get("nbgrader") or {}
    name = meta.get("grade_id") if isinstance(meta, dict) else None
    return name if isinstance(name, str) else ""


def exercise_points(template: NotebookNode) -> dict[str, float]:
    """The exercises of a released notebook, in order, and what a right answer to each scores."""
    return {
        grade_id(cell).removeprefix("check-"): float(cell.metadata.nbgrader.points)
        for cell in template.cells
        if grade_id(cell).startswith("check-")
    }


def rebuild(template: NotebookNode, submission: NotebookNode) -> Rebuilt:
    """Build the grading notebook of one submission from the released notebook."""
    names = list(exercise_points(template))
    # What defines something is code, even where one key made another cell of it.
    cells: _Cells = {
        number: (cell, found)
        for number, cell in enumerate(submission.cells)
        for found in [statements(cell.source)]
        if cell.cell_type == "code"
        or grade_id(cell) in names
        or any(s.defines for s in found or [])
    }
    rebuilt = Rebuilt(new_notebook())
    for name in names:
        stub = next(c for c in template.cells if grade_id(c) == name)
        rebuilt.answers[name] = _find_answer(name, stub.source, cells, rebuilt.notes)
    written = {cell.source.strip() for cell, _ in cells.values()}
    for cell in template.cells:
        if grade_id(cell).startswith("check-") and cell.source.strip() not in written:
            rebuilt.notes.append(f"{grade_id(cell)} was changed or deleted: restored.")
    extras = _own_statements(template, cells, rebuilt.answers)

    given: list[Statement] = []
    done: set[int] = set()
    for cell in template.cells:
        name = grade_id(cell)
        if cell.cell_type != "code":
            continue
        if name in names:
            place = rebuilt.answers[name]
            source = cell.source if place is None else cells[place][0].source
            before = [s for where, s in extras if s.defines or place is None or where < place]
            pool = [*given, *before]
            answer = statements(source)
            uses = frozenset().union(*(s.uses for s in answer or []))
            chosen = [s for s in needed(pool, uses) if id(s) not in done]
            done.update(map(id, chosen))
            own = [s.source for s in chosen if s not in given]
            _append(rebuilt, "\n".join(s.source for s in chosen if s in given))
            # Each on its own: one that only works where it was written (Colab's drive, a path)
            # must not take the others with it.
            for statement in own:
                _append(rebuilt, statement)
            parts = [source] if answer is None else [s.source for s in answer]
            for number, part in enumerate(parts):
                _append(rebuilt, part, f"answer-{name}-{number}")
            if found := _SUSPICIOUS.search("\n".join([*own, source])):
                rebuilt.look.append(f"the answer to {name} mentions {found.group()!r}.")
        elif name.startswith("check-"):
            exercise = name.removeprefix("check-")
            _append(rebuilt, _BEGIN)
            _append(rebuilt, cell.source, name)
            _append(rebuilt, f"end_check({exercise!r}, globals())", f"result-{exercise}")
        else:
            given += statements(cell.source) or []
    return rebuilt


def _append(rebuilt: Rebuilt, source: str, id: str = "") -> None:
    cell = new_code_cell(source)
    cell["id"] = id or f"grader-{len(rebuilt.notebook.cells)}"
    rebuilt.notebook.cells.append(cell)


def _find_answer(name: str, stub: str, cells: _Cells, notes: list[str]) -> int | None:
    tagged, by_name, blank = [], [], []
    for number, (cell, found) in cells.items():
        binding = [s for s in found or [] if name in s.binds]
        if f"check.{name}(" in cell.source and not any(s.defines for s in binding):
            continue
        if cell.source.strip() == stub.strip():
            blank.append(number)
        elif grade_id(cell) == name and (found is None or binding):
            tagged.append(number)
        elif binding and not grade_id(cell):
            by_name.append(number)
    answers = tagged or by_name
    if len(answers) > 1:
        notes.append(f"{name} was written {len(answers)} times: the last one counts.")
    if by_name and not tagged:
        notes.append(f"{name} was found by its name, in a cell without nbgrader's mark.")
    if not answers:
        if not blank:
            there = any(grade_id(cell) == name for cell, _ in cells.values())
            notes.append(f"the cell of {name} {'gives it no value' if there else 'was deleted'}.")
        return blank[-1] if blank else None
    cell = cells[answers[-1]][0]
    if cell.cell_type != "code":
        notes.append(f"{name} stands in a {cell.cell_type} cell: graded as code.")
    if cell.source.lstrip().startswith("%%"):
        notes.append(f"{name} stands below {cell.source.split()[0]}: graded without it.")
    return answers[-1]


def _own_statements(template, cells: _Cells, answers: dict) -> list[tuple[int, Statement]]:
    """The student's statements beside the answers that the released notebook has no word on."""
    theirs = {c.source.strip() for c in template.cells if c.cell_type == "code"}
    taken = {*answers, "check"}
    for cell in template.cells:
        if cell.cell_type == "code" and not grade_id(cell):
            taken.update(*(s.binds for s in statements(cell.source) or []))
    return [
        (number, statement)
        for number, (cell, found) in cells.items()
        if number not in answers.values() and cell.source.strip() not in theirs
        for statement in found or []
        if statement.binds and not statement.binds & taken
    ]


def annotate(submission: NotebookNode, answers: dict, record: dict) -> NotebookNode:
    """The student's own notebook, with what each answer scored and why written below it."""
    after: dict[int | None, list[NotebookNode]] = {}
    for name, graded in record["exercises"].items():
        lines = [f"**Graded · {name}: {graded['points']:g} of {graded['max']:g} points.**"]
        lines += [_plain(graded[key]) for key in ("message", "hint") if graded[key]]
        note = new_markdown_cell("> " + "\n>\n> ".join(lines))
        after.setdefault(answers.get(name), []).append(note)
    most = sum(graded["max"] for graded in record["exercises"].values())
    head = new_markdown_cell(
        f"> **Graded: {record['points']:g} of {most:g} points.**"
        + "".join(f"\n>\n> {_plain(line)}" for line in record["look"] + record["notes"])
    )
    out = from_dict(submission)
    out.cells = [head, *after.get(None, [])]
    for number, cell in enumerate(submission.cells):
        out.cells += [cell, *after.get(number, [])]
    out.nbformat, out.nbformat_minor = 4, 4  # which has no ids: a copied cell's would stand twice
    for cell in out.cells:
        cell.pop("id", None)
    return out


def _plain(text: str) -> str:
    """Text that markdown shows as it is."""
    return re.sub(r"([\\`*_<>\[\]$|#])", r"\\\1", " ".join(text.split()))
