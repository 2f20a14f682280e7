"""Rebuild the student copies from the solutions, with nbgrader's own ClearSolutions."""

import argparse
import sys
from collections import Counter
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labutils.checks import EXERCISES
from labutils.course.colab import Repository, add_colab, configured
from labutils.course.notebook_text import as_text
from labutils.course.slices import statements
from labutils.files import write_text

STUB = "raise NotImplementedError  # your code goes here; then run the check below"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


class ReleaseError(ValueError):
    """A solution notebook that must not be released: the message names each fault and its cell."""


def student_copy(
    solution: NotebookNode, name: str, repository: Repository | None = None
) -> NotebookNode:
    """Return the student's version of a solved notebook: no solutions, no outputs.

    Args:
        solution: the solved notebook.
        name: its file name without ``.ipynb``, for messages and to find its exercises.
        repository: the course's own, for the badge and the install cell of Colab; None: neither.

    Raises:
        ReleaseError: the notebook has a fault; see :func:`faults`.
    """
    from nbgrader.preprocessors import ClearSolutions
    from traitlets.config import Config

    found = faults(solution, name)
    if found:
        raise ReleaseError("\n".join(f"{name}: {fault}" for fault in found))
    config = Config()
    config.ClearSolutions.code_stub = {"python": STUB}
    student = nbformat.from_dict(solution)
    student, _ = ClearSolutions(config=config).preprocess(student, {})
    for cell in student.cells:
        if cell.cell_type == "code":
            cell.outputs = []
            cell.execution_count = None
    if repository is not None:
        add_colab(student, name, repository, "notebooks")
    return student


def faults(solution: NotebookNode, name: str) -> list[str]:
    """List what forbids releasing this notebook, one sentence each; empty when all is well."""
    found = []
    ids = Counter()
    solved, checked = set(), {}
    for number, cell in enumerate(solution.cells):
        meta = cell.metadata.get("nbgrader")
        where = f"cell {number} ({(cell.source.strip() or 'empty').splitlines()[0][:50]})"
        marked = BEGIN in cell.source or END in cell.source
        if meta is None:
            if marked:
                found.append(f"{where} has solution markers but is no solution cell in nbgrader.")
            continue
        grade_id = meta.get("grade_id")
        if not grade_id:
            found.append(f"{where} has no grade_id.")
            continue
        ids[grade_id] += 1
        if meta.get("solution"):
            solved.add(grade_id)
            if cell.source.count(BEGIN) == 0 or cell.source.count(BEGIN) != cell.source.count(END):
                found.append(f"{where}: each {BEGIN} needs its {END}, and there must be one.")
            if grade_id not in EXERCISES:
                found.append(f"{where}: there is no exercise {grade_id!r} in labutils.checks.")
        elif meta.get("grade"):
            if meta.get("points") is None:
                found.append(f"{where} has no points.")
            checked[grade_id] = (meta.get("points"), cell.source, where)
    found += [f"the grade_id {i!r} stands {n} times." for i, n in ids.items() if n > 1]
    for exercise in EXERCISES.values():
        if exercise.notebook != name:
            continue
        if exercise.name not in solved:
            found.append(f"the exercise {exercise.name!r} has no solution cell.")
        points, source, where = checked.get(f"check-{exercise.name}", (None, "", "?"))
        if f"check.{exercise.name}(" not in source:
            found.append(
                f"the exercise {exercise.name!r} has no check cell: a graded cell with grade_id "
                f"'check-{exercise.name}' that calls check.{exercise.name}(...)."
            )
        elif points != exercise.points:
            found.append(
                f"{where} gives {points} points, its check in labutils gives {exercise.points}."
            )
    return found + _taken(solution, solved) + _leaks(solution)


def _taken(solution: NotebookNode, exercises: set[str]) -> list[str]:
    """Names of exercises that another cell gives a value: where the answer is blank, grading would
    take that for it."""
    found = []
    for number, cell in enumerate(solution.cells):
        if cell.cell_type != "code" or cell.metadata.get("nbgrader"):
            continue
        bound = {name for statement in statements(cell.source) or [] for name in statement.binds}
        found += [
            f"cell {number} gives {name!r} another value, and an exercise is called so: rename one."
            for name in sorted(bound & exercises)
        ]
    return found


def _leaks(solution: NotebookNode) -> list[str]:
    """Lines of a solution that stand outside the markers too, in code that students get."""
    secret, public = {}, []
    for number, cell in enumerate(solution.cells):
        inside = False
        for line in cell.source.splitlines():
            text = line.strip()
            if text == BEGIN:
                inside = True
            elif text == END:
                inside = False
            elif inside and len(text) >= 30 and not text.startswith("#"):
                secret[text] = number
            elif not inside:
                public.append((text, number))
    return [
        f"cell {number} gives away a line of the solution in cell {secret[text]}: {text}"
        for text, number in public
        if text in secret
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--notebooks", type=Path, default=Path("notebooks"), metavar="FOLDER")
    parser.add_argument("--check", action="store_true", help="only compare; write nothing")
    parser.add_argument(
        "--repository",
        metavar="OWNER/NAME",
        help="the course's repository, for Colab (a fork sets it once in pyproject.toml)",
    )
    parser.add_argument("--branch", help="the branch that students get (main)")


def _repository(arguments: argparse.Namespace) -> Repository | None:
    """What the command line asks for; else what pyproject.toml beside the notebooks says."""
    found = configured(arguments.notebooks.resolve().parent)
    name = arguments.repository or (found and found.name)
    if not name:
        if arguments.branch:
            raise ValueError("--branch needs --repository, or [tool.labutils] in pyproject.toml")
        return None
    return Repository(name, arguments.branch or (found.branch if found else "main"))


def main(arguments: argparse.Namespace) -> int:
    sources = sorted((arguments.notebooks / "solutions").glob("*.ipynb"))
    if not sources:
        print(
            f"No notebooks in {arguments.notebooks / 'solutions'}: run this in the repository's "
            "root, or name the folder with --notebooks.",
            file=sys.stderr,
        )
        return 2
    try:
        repository = _repository(arguments)
    except ValueError as error:
        print(f"Nothing was released: {error}.", file=sys.stderr)
        return 2
    copies, refused = {}, []
    for source in sources:
        try:
            solution = nbformat.read(source, as_version=4)
            student = student_copy(solution, source.stem, repository)
            copies[arguments.notebooks / source.name] = as_text(student)
        except (ReleaseError, nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
            refused.append(str(error))
    if refused:
        print("Nothing was released:\n" + "\n".join(refused), file=sys.stderr)
        return 1
    stale = [p for p, text in copies.items() if not p.exists() or p.read_text("utf-8") != text]
    orphans = set(arguments.notebooks.glob("*.ipynb")) - set(copies)
    for path in sorted(orphans):
        print(f"{path} has no solution notebook: delete it, or add its source.", file=sys.stderr)
    if arguments.check:
        for path in stale:
            print(f"{path} differs from its source: run `make release`.", file=sys.stderr)
        return 1 if stale or orphans else 0
    for path in stale:
        write_text(path, copies[path])
        print(f"released {path}")
    print(f"{len(copies)} student copies are up to date.")
    return 1 if orphans else 0
